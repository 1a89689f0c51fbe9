"""The page of a list that shows modules or providers with their latest versions."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from storage.registry.kinds import Kind, Of, Version


async def page_with_latest(
    session: AsyncSession,
    organization_id: UUID,
    query: Select[*tuple[Any, ...]],
    kind: Kind[Of, Version],
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
        kind: what is listed.
        offset: how many are left out.
        limit: how many are listed at most.
    """
    of, version = kind.of, kind.version
    of_page = query.where(of.latest_version.is_not(None)).order_by(of.id).offset(offset).limit(limit).subquery()
    listed = aliased(of, of_page)
    latest = (
        (version.organization_id == listed.organization_id)
        & (kind.of_which == listed.id)
        & (version.version == listed.latest_version)
    )
    with_latest = select(listed, version).join(version, latest)
    found = await session.execute(
        with_latest.where(version.organization_id == organization_id).order_by(listed.id)
    )
    return [(each, its_latest) for each, its_latest in found]
