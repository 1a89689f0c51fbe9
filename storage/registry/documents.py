"""Queries on what is known of module versions' documents."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from domain.registry.documents import DocumentsState
from storage.database import locked
from storage.registry.tables import ModuleDocumentsRow, ModuleRow, ModuleVersionRow


async def find(session: AsyncSession, organization_id: UUID, version_id: UUID) -> ModuleDocumentsRow | None:
    """Read what is known of a version's documents; None for a version that is not there."""
    return await session.get(ModuleDocumentsRow, (organization_id, version_id))


async def lock(session: AsyncSession, organization_id: UUID, version_id: UUID) -> ModuleDocumentsRow | None:
    """Read it, and let nobody change it until the transaction ends."""
    query = select(ModuleDocumentsRow).where(
        ModuleDocumentsRow.organization_id == organization_id, ModuleDocumentsRow.module_version_id == version_id
    )
    return await session.scalar(locked(query))


async def version_of(
    session: AsyncSession, organization_id: UUID, version_id: UUID
) -> tuple[ModuleRow, ModuleVersionRow]:
    """Read a version and its module; both are there as long as the documents' row is."""
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
    return module, version


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
    """Forget what was read: it is to be read at once."""
    row.state, row.due_at = DocumentsState.PENDING, func.now()
    row.documents = row.reason = row.reader = row.read_at = None


def pending(organization_id: UUID, version_id: UUID) -> ModuleDocumentsRow:
    """Make the row of a version whose documents are to be read at once."""
    return ModuleDocumentsRow(
        organization_id=organization_id,
        module_version_id=version_id,
        state=DocumentsState.PENDING,
        due_at=func.now(),
    )
