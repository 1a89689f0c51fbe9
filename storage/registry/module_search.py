"""Queries that find modules by words and filters, and keep the words they are found by."""

from typing import Any, Final, TypeVar
from uuid import UUID

from sqlalchemy import Select, delete, false, insert, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from domain.registry.search import ModuleSearch, words_in
from storage.registry.tables import ModuleRow, ModuleVersionRow, ModuleWordRow

Narrowed = TypeVar("Narrowed", bound=Select[*tuple[Any, ...]])
HIGHEST: Final = "\U0010ffff"
"""No word goes on with it, and none that begins as another sorts behind that one with it."""


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
    await _plan_for(session, search)
    query = narrowed(select(ModuleRow), organization_id, search)
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
) -> list[tuple[ModuleRow, ModuleVersionRow]]:
    """List modules that offer a version, with their latest, in order of first publication."""
    await _plan_for(session, search)
    query = narrowed(select(ModuleRow), organization_id, search).where(ModuleRow.latest_version.is_not(None))
    if name is not None:
        query = query.where(ModuleRow.name == name)
    # The versions are looked up for what is on the page, and not for what is left out before it.
    of_page = query.order_by(ModuleRow.id).offset(offset).limit(limit).subquery()
    module = aliased(ModuleRow, of_page)
    latest = (
        (ModuleVersionRow.organization_id == module.organization_id)
        & (ModuleVersionRow.module_id == module.id)
        & (ModuleVersionRow.version == module.latest_version)
    )
    with_latest = select(module, ModuleVersionRow).join(ModuleVersionRow, latest)
    found = await session.execute(
        with_latest.where(ModuleVersionRow.organization_id == organization_id).order_by(module.id)
    )
    return [(each, version) for each, version in found]


def narrowed(query: Narrowed, organization_id: UUID, search: ModuleSearch) -> Narrowed:
    """Have a query of modules find only those that are searched for."""
    query = query.where(ModuleRow.organization_id == organization_id)
    if search.finds_nothing:
        return query.where(false())
    for word in sorted(search.words):
        having = select(ModuleWordRow.module_id).where(
            ModuleWordRow.organization_id == organization_id,
            ModuleWordRow.word >= word,
            ModuleWordRow.word < word + HIGHEST,
        )
        query = query.where(ModuleRow.id.in_(having))
    for column, wanted in (
        (ModuleRow.namespace, search.namespace),
        (ModuleRow.system, search.system),
        (ModuleRow.deprecated, search.deprecated),
    ):
        if wanted is not None:
            query = query.where(column == wanted)
    return query


async def _plan_for(session: AsyncSession, search: ModuleSearch) -> None:
    """Have a prepared query planned anew where words are looked for: a common and a rare one want other plans."""
    if search.words:
        await session.execute(text("SET LOCAL plan_cache_mode = force_custom_plan"))
