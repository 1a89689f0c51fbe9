"""Rows that something was to happen to, and to which it did not: found for the tick, and put off."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import ColumnElement, Interval, func, select, type_coerce, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from storage.database import Base, locked

GRACE: Final = timedelta(minutes=1)
"""How long ago something was due that is overdue: until then its workflow does it."""
LONGEST_PAUSE: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Due:
    """A table whose rows are due at times, by its columns."""

    table: type[Base]
    organization_id: InstrumentedAttribute[UUID]
    id: InstrumentedAttribute[UUID]
    due_at: InstrumentedAttribute[datetime] | InstrumentedAttribute[datetime | None]
    again_at: ColumnElement[datetime]
    """When a row is due again that was overdue and was asked for."""

    @property
    def is_overdue(self) -> ColumnElement[bool]:
        """Hold for rows that something should have happened to."""
        return self.due_at < func.now() - GRACE


def later_and_later(since: InstrumentedAttribute[datetime]) -> ColumnElement[datetime]:
    """Give a time that is the further off the longer something waits, and seldom the same for two.

    Args:
        since: when it began to wait.
    """
    waited = func.least(type_coerce(func.now() - since, Interval), LONGEST_PAUSE)
    return type_coerce(func.now() + waited * (0.5 + func.random() / 2), since.type)


async def organizations_with_overdue(session: AsyncSession, due: Due) -> Sequence[UUID]:
    """List, in another order each time, the organizations with rows that are overdue; for the platform's role."""
    found = select(due.organization_id.label("id")).where(due.is_overdue).distinct().subquery()
    return list(await session.scalars(select(found.c.id).order_by(func.random())))


async def put_off_overdue(session: AsyncSession, organization_id: UUID, due: Due, *, limit: int) -> Sequence[UUID]:
    """List an organization's rows that are overdue, the longest first, and put them off.

    Those that stay overdue so take turns with the others. A row that somebody holds locked is being looked at.
    """
    overdue = select(due.id).where(due.organization_id == organization_id, due.is_overdue)
    found = list(await session.scalars(locked(overdue.order_by(due.due_at).limit(limit), skip_locked=True)))
    await session.execute(
        update(due.table)
        .where(due.organization_id == organization_id, due.id.in_(found))
        .values({due.due_at: due.again_at})
        .execution_options(synchronize_session=False)
    )
    return found
