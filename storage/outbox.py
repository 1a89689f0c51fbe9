"""Work that must go on if, and only if, its transaction commits."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Index, Select, SmallInteger, delete, func, select, tuple_, update
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from domain.ids import new_id
from domain.long_work import Wake
from domain.scope import Scope
from storage.database import Base, locked

CHANNEL: Final = "groundwork_outbox"


class OutboxRow(Base):
    """A wake that waits to be delivered; deleted when Temporal has taken it.

    A workflow has one at most. Its `id` is another one with each enqueue, so whoever has delivered a wake can tell
    whether there has been news since.
    """

    __tablename__ = "outbox"
    __table_args__ = (Index("ix_outbox_due", "next_attempt_at", "id"),)

    organization_id: Mapped[UUID] = mapped_column(primary_key=True)
    workflow_id: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[UUID]
    workflow: Mapped[str]
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
    """Ask for a wake in the session's transaction; the dispatcher hears of it at the commit.

    A wake of the same workflow that was not delivered yet becomes this one, and is due at once. It stays locked
    until the commit, so nobody delivers it before what it tells of can be read. Lock the row that the workflow is
    of first: then no two who wake the same workflows wait for each other.
    """
    wanted = insert(OutboxRow).values(
        organization_id=scope.organization_id,
        workflow_id=wake.workflow_id,
        id=new_id(),
        workflow=wake.workflow,
        task_queue=wake.task_queue,
        input=wake.input.model_dump(mode="json"),
        area=wake.area,
        resource_id=wake.resource_id,
        summary=wake.summary,
        priority=int(wake.priority),
        attributes=wake.attributes,
        attempts=0,
    )
    newer = wanted.excluded
    await session.execute(
        wanted.on_conflict_do_update(
            index_elements=[OutboxRow.organization_id, OutboxRow.workflow_id],
            set_={
                "id": newer.id,
                "input": newer.input,
                "summary": newer.summary,
                "priority": func.least(OutboxRow.priority, newer.priority),
                "attributes": newer.attributes,
                "next_attempt_at": func.least(OutboxRow.next_attempt_at, newer.next_attempt_at),
            },
        )
    )
    await session.execute(func.pg_notify(CHANNEL, "").select())


async def claim_due(session: AsyncSession, *, limit: int, lease: timedelta) -> list[OutboxRow]:
    """Take the wakes that have been due longest; should this process die, another takes them later."""
    due = select(OutboxRow).where(OutboxRow.next_attempt_at <= func.now())
    first = due.order_by(OutboxRow.next_attempt_at, OutboxRow.id).limit(limit)
    rows = list(await session.scalars(locked(first, skip_locked=True)))
    for row in rows:
        row.attempts += 1
        row.next_attempt_at = func.now() + lease
    return rows


async def find(session: AsyncSession, organization_id: UUID, workflow_id: str) -> OutboxRow | None:
    """Read the wake of a workflow that was not delivered yet; None if there is none."""
    return await session.get(OutboxRow, (organization_id, workflow_id))


async def settle(session: AsyncSession, delivered: Sequence[OutboxRow]) -> None:
    """Forget wakes that Temporal has taken; where there has been news since they were claimed, they stay."""
    await session.execute(delete(OutboxRow).where(_KEY.in_(_unchanged(delivered))))


async def postpone(session: AsyncSession, claimed: OutboxRow, attempts: int, delay: timedelta, error: str) -> None:
    """Put a wake off, with the reason beside it; where there has been news since, it stays due at once."""
    await session.execute(
        update(OutboxRow)
        .where(_KEY.in_(_unchanged([claimed])))
        .values(attempts=attempts, next_attempt_at=func.now() + delay, last_error=error)
    )


_KEY: Final = tuple_(OutboxRow.organization_id, OutboxRow.workflow_id)


def _unchanged(claimed: Sequence[OutboxRow]) -> Select[UUID, str]:
    """Find claimed wakes that nobody has written since, nor is about to: whoever does holds the row locked."""
    found = select(OutboxRow.organization_id, OutboxRow.workflow_id).where(
        tuple_(OutboxRow.organization_id, OutboxRow.workflow_id, OutboxRow.id).in_(
            [(row.organization_id, row.workflow_id, row.id) for row in claimed]
        )
    )
    return locked(found, skip_locked=True)
