"""Queries on counts of downloads."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Select, delete, func, select, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from domain.identity.keys import KeyKind
from domain.registry.downloads import (
    BATCH_KEPT,
    KEPT,
    RUNS,
    Consumer,
    DownloadInterval,
    DownloadKind,
    MostDownloaded,
)
from storage.database import insert_unless_there
from storage.identity.tables import ApiKeyRow
from storage.registry.tables import (
    DownloadBatchRow,
    DownloadCountRow,
    DownloadTotalRow,
    ModuleRow,
    ModuleVersionRow,
    ProviderRow,
    ProviderVersionRow,
)

_ByKey = Select[UUID, str, Sequence[str], int, datetime]  # as SQLAlchemy types them: the name may be NULL


@dataclass(frozen=True, slots=True)
class Count:
    """How often a key has downloaded a version with a tool, since the last time."""

    kind: DownloadKind
    version_id: UUID
    of_id: UUID
    """The module or provider that the version is of."""
    api_key_id: UUID
    user_agent: str
    downloads: int


async def is_new(session: AsyncSession, organization_id: UUID, batch_id: UUID) -> bool:
    """Note that a batch is written with this transaction; False if it was written before.

    It waits for a transaction that is writing the same, such as one whose connection was cut before its end.
    """
    return await insert_unless_there(session, DownloadBatchRow(organization_id=organization_id, id=batch_id))


async def parents(
    session: AsyncSession, organization_id: UUID, kind: DownloadKind, version_ids: Collection[UUID]
) -> dict[UUID, UUID]:
    """Tell which module or provider each version is of; versions that are not there are left out."""
    version: type[ModuleVersionRow | ProviderVersionRow] = ModuleVersionRow
    parent: InstrumentedAttribute[UUID] = ModuleVersionRow.module_id
    if kind is DownloadKind.PROVIDER:
        version, parent = ProviderVersionRow, ProviderVersionRow.provider_id
    query = select(version.id, parent).where(
        version.organization_id == organization_id, version.id.in_(version_ids)
    )
    return dict((await session.execute(query)).all())


async def run_keys(session: AsyncSession, organization_id: UUID, key_ids: Collection[UUID]) -> Collection[UUID]:
    """Tell which keys are those of runs."""
    query = select(ApiKeyRow.id).where(
        ApiKeyRow.organization_id == organization_id, ApiKeyRow.id.in_(key_ids), ApiKeyRow.kind == KeyKind.RUN
    )
    return set(await session.scalars(query))


async def add(session: AsyncSession, organization_id: UUID, counts: Sequence[Count]) -> None:
    """Add to the counts of this hour, and to the totals."""
    if not counts:
        return
    # In one order, so that no two processes wait for each other.
    ordered = sorted(counts, key=lambda count: (count.version_id, count.api_key_id, count.user_agent))
    statement = insert(DownloadCountRow).values(
        [
            {
                "organization_id": organization_id,
                "version_id": count.version_id,
                "hour": func.date_trunc("hour", func.now(), "UTC"),
                "api_key_id": count.api_key_id,
                "user_agent": count.user_agent,
                "kind": count.kind,
                "downloads": count.downloads,
            }
            for count in ordered
        ]
    )
    await session.execute(
        statement.on_conflict_do_update(
            index_elements=list(DownloadCountRow.__table__.primary_key),
            set_={
                "downloads": DownloadCountRow.downloads + statement.excluded.downloads,
                "last_at": func.now(),
            },
        )
    )
    await _add_to_totals(session, organization_id, counts)


async def totals(session: AsyncSession, organization_id: UUID, of_ids: Collection[UUID]) -> Counter[UUID]:
    """Tell of modules or providers how often they were downloaded, in all versions and since there are any."""
    query = select(DownloadTotalRow.installed_id, DownloadTotalRow.downloads).where(
        DownloadTotalRow.organization_id == organization_id, DownloadTotalRow.installed_id.in_(of_ids)
    )
    return Counter(dict((await session.execute(query)).all()))


async def forget_old(session: AsyncSession, *, limit: int) -> int:
    """Forget counts of all organizations that are older than KEPT, the oldest first; needs the platform's role.

    Returns:
        How many.
    """
    key = tuple(DownloadCountRow.__table__.primary_key)
    old = select(*key).where(DownloadCountRow.hour < func.now() - KEPT)
    oldest = old.order_by(DownloadCountRow.hour).limit(limit)
    gone = delete(DownloadCountRow).where(tuple_(*key).in_(oldest)).returning(DownloadCountRow.hour)
    return len((await session.execute(gone)).all())


async def forget_batches(session: AsyncSession, *, limit: int) -> int:
    """Forget that batches were written, where nobody writes them again; needs the platform's role.

    Returns:
        How many.
    """
    old = select(DownloadBatchRow.id).where(DownloadBatchRow.written_at < func.now() - BATCH_KEPT)
    oldest = old.order_by(DownloadBatchRow.written_at).limit(limit)
    gone = delete(DownloadBatchRow).where(DownloadBatchRow.id.in_(oldest)).returning(DownloadBatchRow.id)
    return len((await session.execute(gone)).all())


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
    thing: type[ModuleRow | ProviderRow] = ModuleRow
    version: type[ModuleVersionRow | ProviderVersionRow] = ModuleVersionRow
    parent: InstrumentedAttribute[UUID] = ModuleVersionRow.module_id
    parts: tuple[InstrumentedAttribute[str], ...] = (ModuleRow.namespace, ModuleRow.name, ModuleRow.system)
    if kind is DownloadKind.PROVIDER:
        thing, version, parent = ProviderRow, ProviderVersionRow, ProviderVersionRow.provider_id
        parts = (ProviderRow.namespace, ProviderRow.type)
    address = func.concat_ws("/", *parts)
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
        .join(thing, (thing.organization_id == version.organization_id) & (thing.id == parent))
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
            user_agents=tuple(agents),
            downloads=int(count),
            last_at=last_at,
        )
        for found, name, agents, count, last_at in await session.execute(query)
    ]


async def _add_to_totals(session: AsyncSession, organization_id: UUID, counts: Sequence[Count]) -> None:
    added: Counter[UUID] = Counter()
    for count in counts:
        added[count.of_id] += count.downloads
    statement = insert(DownloadTotalRow).values(
        [
            {"organization_id": organization_id, "installed_id": of_id, "downloads": downloads}
            for of_id, downloads in sorted(added.items())
        ]
    )
    await session.execute(
        statement.on_conflict_do_update(
            index_elements=list(DownloadTotalRow.__table__.primary_key),
            set_={"downloads": DownloadTotalRow.downloads + statement.excluded.downloads},
        )
    )
