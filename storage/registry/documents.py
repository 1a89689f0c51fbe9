"""Queries on what is known of module versions' documents."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import Select, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from domain.registry.documents import Documents, DocumentsState
from domain.registry.names import ModuleAddress
from storage.database import locked
from storage.overdue import Due, later_and_later
from storage.registry.kinds import MODULES
from storage.registry.tables import ModuleDocumentsRow, ModuleRow, ModuleVersionRow

DUE: Final = Due(
    ModuleDocumentsRow,
    ModuleDocumentsRow.organization_id,
    ModuleDocumentsRow.module_version_id,
    ModuleDocumentsRow.due_at,
    again_at=later_and_later(ModuleDocumentsRow.asked_at),
)


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
    [found] = await versions_of(session, organization_id, [version_id])
    return found


async def versions_of(
    session: AsyncSession, organization_id: UUID, version_ids: Collection[UUID]
) -> Sequence[tuple[ModuleAddress, ModuleVersionRow]]:
    """Read versions and their modules' addresses, in no order."""
    query = (
        select(ModuleRow, ModuleVersionRow)
        .join(ModuleVersionRow, MODULES.is_of)
        .where(ModuleVersionRow.organization_id == organization_id, ModuleVersionRow.id.in_(version_ids))
    )
    return [
        (ModuleAddress(module.namespace, module.name, module.system), version)
        for module, version in await session.execute(query)
    ]


def read_again(row: ModuleDocumentsRow) -> None:
    """Have it read at once; what was read before stays until then."""
    row.state, row.reason = DocumentsState.PENDING, None
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


async def note_hindrance(
    session: AsyncSession, organization_id: UUID, version_id: UUID, asked_at: datetime, reason: str
) -> bool:
    """Write what keeps this installation from reading what waits since then to be read; tell if that is news."""
    news = (
        update(ModuleDocumentsRow)
        .where(
            ModuleDocumentsRow.organization_id == organization_id,
            ModuleDocumentsRow.module_version_id == version_id,
            ModuleDocumentsRow.state == DocumentsState.PENDING,
            ModuleDocumentsRow.asked_at == asked_at,
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
