"""Counts of downloads as people see them, added up."""

from collections import Counter
from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.registry.downloads import (
    RUNS,
    Consumer,
    DownloadInterval,
    DownloadKind,
    MostDownloaded,
)
from storage.identity.tables import ApiKeyRow
from storage.registry.kinds import DOWNLOADED
from storage.registry.tables import DownloadCountRow, DownloadTotalRow

_ByKey = Select[UUID, str, Sequence[str], int, datetime]  # as SQLAlchemy types them: the name may be NULL


async def totals(session: AsyncSession, organization_id: UUID, of_ids: Collection[UUID]) -> Counter[UUID]:
    """Tell of modules or providers how often they were downloaded, in all versions and since there are any."""
    query = select(DownloadTotalRow.installed_id, DownloadTotalRow.downloads).where(
        DownloadTotalRow.organization_id == organization_id, DownloadTotalRow.installed_id.in_(of_ids)
    )
    return Counter(dict((await session.execute(query)).all()))


async def in_time(
    session: AsyncSession,
    organization_id: UUID,
    begin: datetime,
    end: datetime,
    *,
    interval: DownloadInterval,
    kind: DownloadKind | None,
) -> list[tuple[datetime, int]]:
    """Add downloads up by hour or day, in order."""
    at = func.date_trunc(interval.value, DownloadCountRow.hour, "UTC").label("at")
    query = (
        select(at, func.sum(DownloadCountRow.downloads))
        .where(
            DownloadCountRow.organization_id == organization_id,
            DownloadCountRow.hour >= begin,
            DownloadCountRow.hour < end,
        )
        .group_by(at)
        .order_by(at)
    )
    if kind is not None:
        query = query.where(DownloadCountRow.kind == kind)
    return [(moment, int(downloads)) for moment, downloads in await session.execute(query)]


async def most_downloaded(
    session: AsyncSession, organization_id: UUID, begin: datetime, end: datetime, *, kind: DownloadKind, limit: int
) -> list[MostDownloaded]:
    """List modules or providers by their downloads, the most first."""
    tables = DOWNLOADED[kind]
    version = tables.version
    address = func.concat_ws("/", *tables.address)
    downloads = func.sum(DownloadCountRow.downloads)
    query = (
        select(
            address,
            downloads,
            func.count(DownloadCountRow.api_key_id.distinct()),
            func.max(DownloadCountRow.last_at),
        )
        .select_from(DownloadCountRow)
        .join(
            version,
            (version.organization_id == DownloadCountRow.organization_id)
            & (version.id == DownloadCountRow.version_id),
        )
        .join(tables.of, tables.is_of)
        .where(
            DownloadCountRow.organization_id == organization_id,
            DownloadCountRow.hour >= begin,
            DownloadCountRow.hour < end,
        )
        .group_by(address)
        .order_by(downloads.desc(), address)
        .limit(limit)
    )
    return [
        MostDownloaded(address=found, downloads=int(count), api_keys=keys, last_at=last_at)
        for found, count, keys, last_at in await session.execute(query)
    ]


async def consumers(
    session: AsyncSession, organization_id: UUID, version_id: UUID, *, after: UUID | None, limit: int
) -> list[Consumer]:
    """List the keys that have downloaded a version, in order of id."""
    key_id = DownloadCountRow.api_key_id
    query = _consumers(organization_id).where(DownloadCountRow.version_id == version_id)
    if after is not None:
        query = query.where(key_id > after)
    return await _shown(session, query.order_by(key_id).limit(limit))


async def most_consumers(
    session: AsyncSession, organization_id: UUID, begin: datetime, end: datetime, *, limit: int
) -> list[Consumer]:
    """List the keys that have downloaded anything, the most first."""
    query = _consumers(organization_id).where(DownloadCountRow.hour >= begin, DownloadCountRow.hour < end)
    most = func.sum(DownloadCountRow.downloads).desc()
    return await _shown(session, query.order_by(most, DownloadCountRow.api_key_id).limit(limit))


def _consumers(organization_id: UUID) -> _ByKey:
    """Ask for counts by key; which of them, and in which order, is the caller's."""
    key_id = DownloadCountRow.api_key_id
    return (
        select(
            key_id,
            func.max(ApiKeyRow.name),
            func.array_agg(DownloadCountRow.user_agent.distinct()),
            func.sum(DownloadCountRow.downloads),
            func.max(DownloadCountRow.last_at),
        )
        .outerjoin(
            ApiKeyRow,
            (ApiKeyRow.organization_id == DownloadCountRow.organization_id) & (ApiKeyRow.id == key_id),
        )
        .where(DownloadCountRow.organization_id == organization_id)
        .group_by(key_id)
    )


async def _shown(session: AsyncSession, query: _ByKey) -> list[Consumer]:
    return [
        Consumer(
            api_key_id=None if found == RUNS else found,
            name="runs" if found == RUNS else name,
            tools=tuple(tools),
            downloads=int(count),
            last_at=last_at,
        )
        for found, name, tools, count, last_at in await session.execute(query)
    ]
