"""The page of a list that shows modules or providers with their latest versions."""

from collections.abc import Sequence
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute, aliased

from storage.registry.tables import ModuleRow, ModuleVersionRow, ProviderRow, ProviderVersionRow

Of = TypeVar("Of", ModuleRow, ProviderRow)
Version = TypeVar("Version", ModuleVersionRow, ProviderVersionRow)


async def page_with_latest(
    session: AsyncSession,
    organization_id: UUID,
    query: Select[*tuple[Any, ...]],
    of: type[Of],
    versions: tuple[type[Version], InstrumentedAttribute[UUID]],
    *,
    offset: int,
    limit: int,
) -> Sequence[tuple[Of, Version]]:
    """List what offers a version, with its latest, in order of first publication.

    The versions are looked up for what is on the page, and not for what is left out before it.

    Args:
        session: of the transaction.
        organization_id: whose list it is.
        query: of all that is listed, of that organization.
        of: what is listed.
        versions: the versions of it, and their column that says of which they are.
        offset: how many are left out.
        limit: how many are listed at most.
    """
    version, of_which = versions
    of_page = query.where(of.latest_version.is_not(None)).order_by(of.id).offset(offset).limit(limit).subquery()
    listed = aliased(of, of_page)
    latest = (
        (version.organization_id == listed.organization_id)
        & (of_which == listed.id)
        & (version.version == listed.latest_version)
    )
    with_latest = select(listed, version).join(version, latest)
    found = await session.execute(
        with_latest.where(version.organization_id == organization_id).order_by(listed.id)
    )
    return [(each, its_latest) for each, its_latest in found]
