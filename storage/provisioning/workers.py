"""Queries on worker processes."""

from datetime import timedelta
from uuid import UUID

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from storage.provisioning.tables import WorkerRow


async def beat(session: AsyncSession, worker_id: UUID, host: str, queues: list[str], slots: int) -> None:
    """Write a worker's sign of life."""
    await session.execute(
        insert(WorkerRow)
        .values(id=worker_id, host=host, queues=queues, slots=slots)
        .on_conflict_do_update(index_elements=["id"], set_={"seen_at": func.now()})
    )


async def remove(session: AsyncSession, worker_id: UUID) -> None:
    """Forget a worker that has stopped."""
    await session.execute(delete(WorkerRow).where(WorkerRow.id == worker_id))


async def forget_silent(session: AsyncSession, silent: timedelta) -> int:
    """Forget workers not heard of for so long; return how many."""
    gone = delete(WorkerRow).where(WorkerRow.seen_at < func.now() - silent).returning(WorkerRow.id)
    return len((await session.execute(gone)).all())


async def seen_within(session: AsyncSession, age: timedelta) -> list[WorkerRow]:
    """List the workers heard of within a time."""
    query = select(WorkerRow).where(WorkerRow.seen_at > func.now() - age)
    return list(await session.scalars(query.order_by(WorkerRow.started_at)))
