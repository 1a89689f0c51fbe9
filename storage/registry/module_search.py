"""Queries that find modules by words and filters, and keep the words they are found by."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, Select, delete, false, func, insert, intersect, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.registry.search import ModuleSearch, words_in
from storage.registry import latest
from storage.registry.kinds import MODULES
from storage.registry.tables import ModuleRow, ModuleVersionRow, ModuleWordRow

Narrowed = TypeVar("Narrowed", bound=Select[*tuple[Any, ...]])
HIGHEST: Final = "\U0010ffff"
"""No word goes on with it, and none that begins as another sorts behind that one with it."""
MOST_TOGETHER: Final = 50_000
"""Rows of words up to which those of a beginning are read to the end. Of a hundred thousand modules two beginnings
that have more can hardly have none in common: a page of them is full after a few modules."""


@dataclass(frozen=True, slots=True)
class Ahead:
    """What is known of the words of a search before it is made."""

    whole: Mapping[str, str] = field(default_factory=dict)
    """Those that are the beginning of one word only, with that word."""
    together: frozenset[str] = frozenset()
    """Those whose modules are all read, to find what they have in common, before anything else is."""


async def note_words(session: AsyncSession, module: ModuleRow) -> None:
    """Bring the words of a locked module up to date, after a change of its description."""
    of_module = (
        ModuleWordRow.organization_id == module.organization_id,
        ModuleWordRow.module_id == module.id,
    )
    wanted = words_in(module.namespace, module.name, module.system, module.description)
    known = set(await session.scalars(select(ModuleWordRow.word).where(*of_module)))
    if known - wanted:
        await session.execute(delete(ModuleWordRow).where(*of_module, ModuleWordRow.word.in_(known - wanted)))
    if wanted - known:
        rows = [
            {"organization_id": module.organization_id, "module_id": module.id, "word": word}
            for word in sorted(wanted - known)
        ]
        await session.execute(insert(ModuleWordRow), rows)


async def page(
    session: AsyncSession, organization_id: UUID, search: ModuleSearch, *, after: UUID | None, limit: int
) -> list[ModuleRow]:
    """List the modules that are searched for in order of first publication, beginning behind the given id."""
    ahead = await look_ahead(session, organization_id, search)
    query = narrowed(select(ModuleRow), organization_id, search, ahead, after)
    if after is not None:
        query = query.where(ModuleRow.id > after)
    return list(await session.scalars(query.order_by(ModuleRow.id).limit(limit)))


async def page_with_latest(
    session: AsyncSession,
    organization_id: UUID,
    search: ModuleSearch,
    *,
    name: str | None = None,
    offset: int,
    limit: int,
) -> Sequence[tuple[ModuleRow, ModuleVersionRow]]:
    """List modules that offer a version, with their latest, in order of first publication."""
    ahead = await look_ahead(session, organization_id, search)
    query = narrowed(select(ModuleRow), organization_id, search, ahead)
    if name is not None:
        query = query.where(ModuleRow.name == name)
    return await latest.page_with_latest(session, organization_id, query, MODULES, offset=offset, limit=limit)


def narrowed(
    query: Narrowed,
    organization_id: UUID,
    search: ModuleSearch,
    ahead: Ahead,
    after: UUID | None = None,
) -> Narrowed:
    """Have a query of modules find only those that are searched for.

    Args:
        query: of modules.
        organization_id: whose they are.
        search: what is searched for.
        ahead: what `look_ahead` says of it.
        after: where one is given, none up to this id need be found.
    """
    query = query.where(ModuleRow.organization_id == organization_id)
    if search.finds_nothing:
        return query.where(false())
    having = {word: _having(organization_id, ahead.whole.get(word), word, after) for word in sorted(search.words)}
    together = [having.pop(word) for word in sorted(ahead.together)]
    if together:
        both = intersect(*together).cte("together").prefix_with("MATERIALIZED")
        query = query.where(ModuleRow.id.in_(select(both.c.module_id)))
    for modules in having.values():
        query = query.where(ModuleRow.id.in_(modules))
    for column, wanted in (
        (ModuleRow.namespace, search.namespace),
        (ModuleRow.system, search.system),
        (ModuleRow.deprecated, search.deprecated),
    ):
        if wanted is not None:
            query = query.where(column == wanted)
    return query


def _having(organization_id: UUID, whole: str | None, word: str, after: UUID | None) -> Select[UUID]:
    having = select(ModuleWordRow.module_id).where(
        ModuleWordRow.organization_id == organization_id,
        *(_begins(word) if whole is None else [ModuleWordRow.word == whole]),
    )
    return having if after is None else having.where(ModuleWordRow.module_id > after)


def _begins(word: str) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return ModuleWordRow.word >= word, ModuleWordRow.word < word + HIGHEST


async def look_ahead(session: AsyncSession, organization_id: UUID, search: ModuleSearch) -> Ahead:
    """Tell how a search for several words is best made.

    The modules that have one word stand in its index in order of id, so PostgreSQL goes through those of several
    words side by side. Those of a beginning of several words do not: it would ask of each module whether it has
    one, to the last of them where hardly any has all. Where there are not too many, all are read and compared.

    The search is planned anew where it was prepared: a common and a rare word want other plans.
    """
    if not search.words:
        return Ahead()
    words = sorted(search.words)
    ends = [
        select(end(ModuleWordRow.word))
        .where(ModuleWordRow.organization_id == organization_id, *_begins(word))
        .scalar_subquery()
        for word in words
        for end in (func.min, func.max)
    ]
    _, *found = (
        await session.execute(select(func.set_config("plan_cache_mode", "force_custom_plan", True), *ends))
    ).one()
    pairs = zip(words, found[::2], found[1::2], strict=True)
    whole = {word: first for word, first, last in pairs if first is not None and first == last}
    if len(words) == 1 or len(whole) == len(words) or None in found:
        return Ahead(whole)
    many = [
        select(func.count())
        .select_from(_having(organization_id, whole.get(word), word, None).limit(MOST_TOGETHER).subquery())
        .scalar_subquery()
        for word in words
    ]
    counts = (await session.execute(select(*many))).one()
    few = frozenset(word for word, count in zip(words, counts, strict=True) if count < MOST_TOGETHER)
    return Ahead(whole, few if len(few) > 1 else frozenset())
