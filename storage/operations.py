"""Queries on the installation as a whole."""

from datetime import timedelta

from sqlalchemy import Interval, func, select, text, type_coerce
from sqlalchemy.ext.asyncio import AsyncSession

from storage.outbox import OutboxRow
from storage.provisioning.tables import RunRow


async def outbox(session: AsyncSession) -> tuple[int, timedelta]:
    """Count the wakes that wait, and tell the age of the oldest."""
    age = type_coerce(func.now() - func.min(OutboxRow.created_at), Interval)
    waiting, oldest = (await session.execute(select(func.count(), age).select_from(OutboxRow))).one()
    return waiting, oldest or timedelta()


async def waiting_runs(session: AsyncSession) -> int:
    """Count the runs that wait to be admitted."""
    query = select(func.count()).where(RunRow.admitted_at.is_(None), RunRow.finished_at.is_(None))
    return (await session.execute(query)).scalar_one()


async def schema_revision(session: AsyncSession) -> str | None:
    """Tell the newest migration that the database has seen."""
    return (await session.execute(text("SELECT version_num FROM alembic_version"))).scalar_one_or_none()


async def make_audit_partitions(session: AsyncSession) -> int:
    """Have the owner's function make the partitions that are missing."""
    made: int = (await session.execute(select(func.make_audit_partitions()))).scalar_one()
    return made
