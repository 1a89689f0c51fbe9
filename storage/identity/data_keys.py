"""Queries on data keys."""

from uuid import UUID

from sqlalchemy import Text, cast, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from storage.identity.tables import DataKeyRow


async def newest_or_add(session: AsyncSession, organization_id: UUID, key_id: UUID, wrapped: bytes) -> DataKeyRow:
    """Give the organization's newest data key; where it has none, the one offered becomes its first.

    Of two that offer at once one wins and both get the winner's.
    """
    await session.execute(
        select(func.pg_advisory_xact_lock(func.hashtextextended(f"data_key:{organization_id}", 0)))
    )
    newest = await session.scalar(
        select(DataKeyRow)
        .where(DataKeyRow.organization_id == organization_id)
        .order_by(DataKeyRow.version.desc())
        .limit(1)
    )
    if newest is not None:
        return newest
    made = DataKeyRow(organization_id=organization_id, id=key_id, version=1, wrapped=wrapped)
    session.add(made)
    return made


async def newest_of_all(session: AsyncSession) -> DataKeyRow | None:
    """Give the installation's newest data key; None where there is none, or not even the table yet."""
    if await session.scalar(select(cast(func.to_regclass("data_key"), Text))) is None:
        return None
    return await session.scalar(select(DataKeyRow).order_by(DataKeyRow.id.desc()).limit(1))


async def find(session: AsyncSession, organization_id: UUID, key_id: UUID) -> bytes | None:
    """Give a data key as it is stored, wrapped; None where the organization has no such key."""
    return await session.scalar(
        select(DataKeyRow.wrapped).where(DataKeyRow.organization_id == organization_id, DataKeyRow.id == key_id)
    )
