"""Queries on what is known of module versions' documents."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from sqlalchemy import Select, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from domain.registry.documents import Documents, DocumentsState
from domain.registry.names import ModuleAddress
from storage.database import locked
from storage.registry.tables import ModuleDocumentsRow, ModuleRow, ModuleVersionRow


async def find(session: AsyncSession, organization_id: UUID, version_id: UUID) -> ModuleDocumentsRow | None:
    """Read what is known of a version's documents; None for a version that is not there."""
    return await session.get(ModuleDocumentsRow, (organization_id, version_id))


async def lock(session: AsyncSession, organization_id: UUID, version_id: UUID) -> ModuleDocumentsRow | None:
    """Read it, and let nobody change it until the transaction ends."""
    return await session.scalar(locked(_of_version(organization_id, version_id)))


async def get_locked(session: AsyncSession, version: ModuleVersionRow) -> ModuleDocumentsRow:
    """Do the same for a version that is there: each has such a row."""
    return (await session.scalars(locked(_of_version(version.organization_id, version.id)))).one()


async def version_of(
    session: AsyncSession, organization_id: UUID, version_id: UUID
) -> tuple[ModuleAddress, ModuleVersionRow]:
    """Read a version and its module's address; both are there as long as the documents' row is."""
    query = (
        select(ModuleRow, ModuleVersionRow)
        .join(
            ModuleVersionRow,
            (ModuleVersionRow.organization_id == ModuleRow.organization_id)
            & (ModuleVersionRow.module_id == ModuleRow.id),
        )
        .where(ModuleVersionRow.organization_id == organization_id, ModuleVersionRow.id == version_id)
    )
    module, version = (await session.execute(query)).one()
    return ModuleAddress(module.namespace, module.name, module.system), version


async def organizations_with_overdue(session: AsyncSession, *, grace: timedelta) -> Sequence[UUID]:
    """List, in no order, the organizations with documents that should have been read; for the platform's role."""
    overdue = (
        select(ModuleDocumentsRow.organization_id)
        .where(ModuleDocumentsRow.due_at <= func.now() - grace)
        .distinct()
        .subquery()
    )
    return list(await session.scalars(select(overdue.c.organization_id).order_by(func.random())))


async def put_off_overdue(
    session: AsyncSession, organization_id: UUID, *, grace: timedelta, limit: int
) -> Sequence[UUID]:
    """List versions whose documents should have been read, the longest overdue first, and make them due now."""
    overdue = (
        select(ModuleDocumentsRow.module_version_id)
        .where(
            ModuleDocumentsRow.organization_id == organization_id, ModuleDocumentsRow.due_at <= func.now() - grace
        )
        .order_by(ModuleDocumentsRow.due_at)
        .limit(limit)
    )
    found = list(await session.scalars(locked(overdue, skip_locked=True)))
    await session.execute(
        update(ModuleDocumentsRow)
        .where(
            ModuleDocumentsRow.organization_id == organization_id, ModuleDocumentsRow.module_version_id.in_(found)
        )
        .values(due_at=func.now())
    )
    return found


def read_again(row: ModuleDocumentsRow) -> None:
    """Have it read at once; what was read before stays until then."""
    row.state, row.reason, row.attempts = DocumentsState.PENDING, None, 0
    row.due_at = row.asked_at = func.now()


def keep(row: ModuleDocumentsRow, found: Documents, reader: str) -> None:
    """Write what was read."""
    row.state, row.due_at, row.reason = DocumentsState.READY, None, None
    row.documents = found.model_dump(mode="json")
    row.reader, row.read_at = reader, func.now()


def give_up(row: ModuleDocumentsRow, reason: str, reader: str) -> None:
    """Write why nothing could be read; what was read before is as true as it was, and stays."""
    row.due_at, row.reason = None, reason
    if row.documents is not None:
        row.state = DocumentsState.READY
        return
    row.state, row.reader, row.read_at = DocumentsState.UNREADABLE, reader, func.now()


async def note_hindrance(session: AsyncSession, organization_id: UUID, version_id: UUID, reason: str) -> bool:
    """Write what keeps this installation from reading what waits to be read; tell whether that is news."""
    news = (
        update(ModuleDocumentsRow)
        .where(
            ModuleDocumentsRow.organization_id == organization_id,
            ModuleDocumentsRow.module_version_id == version_id,
            ModuleDocumentsRow.state == DocumentsState.PENDING,
            ModuleDocumentsRow.reason.is_distinct_from(reason),
        )
        .values(reason=reason)
        .returning(ModuleDocumentsRow.module_version_id)
    )
    return await session.scalar(news) is not None


def _of_version(organization_id: UUID, version_id: UUID) -> Select[ModuleDocumentsRow]:
    return select(ModuleDocumentsRow).where(
        ModuleDocumentsRow.organization_id == organization_id, ModuleDocumentsRow.module_version_id == version_id
    )
