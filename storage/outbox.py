"""Work that must go on if, and only if, its transaction commits."""

from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Index, SmallInteger, delete, func, select, update
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from domain.ids import new_id
from domain.long_work import Wake
from domain.scope import Scope
from storage.database import Base, locked

CHANNEL: Final = "groundwork_outbox"


class OutboxRow(Base):
    """A wake that waits to be delivered; deleted when Temporal has taken it."""

    __tablename__ = "outbox"
    __table_args__ = (Index("ix_outbox_due", "next_attempt_at", "id"),)

    organization_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    workflow: Mapped[str]
    workflow_id: Mapped[str]
    task_queue: Mapped[str]
    input: Mapped[dict[str, Any]] = mapped_column(JSONB)
    area: Mapped[str]
    resource_id: Mapped[str]
    summary: Mapped[str]
    priority: Mapped[int] = mapped_column(SmallInteger)
    attributes: Mapped[dict[str, str]] = mapped_column(JSONB)
    attempts: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    next_attempt_at: Mapped[datetime] = mapped_column(server_default=func.now())
    last_error: Mapped[str | None]


async def enqueue(session: AsyncSession, scope: Scope, wake: Wake) -> None:
    """Ask for a wake in the session's transaction; the dispatcher hears of it at the commit."""
    session.add(
        OutboxRow(
            organization_id=scope.organization_id,
            workflow=wake.workflow,
            workflow_id=wake.workflow_id,
            task_queue=wake.task_queue,
            input=wake.input.model_dump(mode="json"),
            area=wake.area,
            resource_id=wake.resource_id,
            summary=wake.summary,
            priority=int(wake.priority),
            attributes=wake.attributes,
        )
    )
    await session.execute(func.pg_notify(CHANNEL, "").select())


async def claim_due(session: AsyncSession, *, limit: int, lease: timedelta) -> list[OutboxRow]:
    """Take the wakes that are due, the oldest first; should this process die, another takes them later."""
    due = select(OutboxRow).where(OutboxRow.next_attempt_at <= func.now()).order_by(OutboxRow.id).limit(limit)
    rows = list(await session.scalars(locked(due, skip_locked=True)))
    for row in rows:
        row.attempts += 1
        row.next_attempt_at = func.now() + lease
    return rows


async def settle(session: AsyncSession, delivered: list[UUID]) -> None:
    """Forget wakes that Temporal has taken."""
    await session.execute(delete(OutboxRow).where(OutboxRow.id.in_(delivered)))


async def postpone(session: AsyncSession, wake_id: UUID, attempts: int, delay: timedelta, error: str) -> None:
    """Put a wake off, with the reason beside it."""
    await session.execute(
        update(OutboxRow)
        .where(OutboxRow.id == wake_id)
        .values(attempts=attempts, next_attempt_at=func.now() + delay, last_error=error)
    )
