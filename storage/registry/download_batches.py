"""Writing counts of downloads, batch by batch, and forgetting them."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import delete, func, select, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from domain.identity.keys import KeyKind
from domain.registry.downloads import BATCH_KEPT, KEPT, DownloadKind
from storage.database import insert_unless_there
from storage.identity.tables import ApiKeyRow
from storage.registry.kinds import DOWNLOADED
from storage.registry.tables import DownloadBatchRow, DownloadCountRow, DownloadTotalRow


@dataclass(frozen=True, slots=True)
class Count:
    """How often a key has downloaded a version with a tool, since the last time."""

    kind: DownloadKind
    version_id: UUID
    of_id: UUID
    """The module or provider that the version is of."""
    api_key_id: UUID
    tool: str
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
    tables = DOWNLOADED[kind]
    version = tables.version
    query = select(version.id, tables.of_which).where(
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
    ordered = sorted(counts, key=lambda count: (count.version_id, count.api_key_id, count.tool))
    statement = insert(DownloadCountRow).values(
        [
            {
                "organization_id": organization_id,
                "version_id": count.version_id,
                "hour": func.date_trunc("hour", func.now(), "UTC"),
                "api_key_id": count.api_key_id,
                "user_agent": count.tool,
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
