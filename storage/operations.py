"""Queries on the installation as a whole."""

from datetime import timedelta

from sqlalchemy import Interval, func, select, text, type_coerce
from sqlalchemy.ext.asyncio import AsyncSession

from domain.provisioning.run_states import WORKING, RunState
from storage.outbox import OutboxRow
from storage.provisioning.tables import RunRow, RunStepRow


async def outbox(session: AsyncSession) -> tuple[int, timedelta]:
    """Count the wakes that wait, and tell the age of the oldest."""
    age = type_coerce(func.now() - func.min(OutboxRow.created_at), Interval)
    waiting, oldest = (await session.execute(select(func.count(), age).select_from(OutboxRow))).one()
    return waiting, oldest or timedelta()


async def waiting_runs(session: AsyncSession) -> int:
    """Count the runs that wait to be admitted."""
    query = select(func.count()).where(RunRow.admitted_at.is_(None), RunRow.finished_at.is_(None))
    return (await session.execute(query)).scalar_one()


async def backlog(session: AsyncSession) -> list[tuple[RunState, int, timedelta]]:
    """Count the admitted runs that somebody should be at and nobody is, by state, with the age of the oldest.

    A run waits since it was admitted, it was approved, or its last step ended or lost its lease.
    """
    step_is_live = RunStepRow.finished_at.is_(None) & (RunStepRow.lease_expires_at > func.now())
    step_left = func.max(func.coalesce(RunStepRow.finished_at, RunStepRow.lease_expires_at))
    waiting = (
        select(RunRow.state, func.greatest(RunRow.admitted_at, RunRow.decided_at, step_left).label("since"))
        .outerjoin(
            RunStepRow,
            (RunStepRow.organization_id == RunRow.organization_id) & (RunStepRow.run_id == RunRow.id),
        )
        .where(
            RunRow.due_at.is_not(None),  # not final; by the index of those
            RunRow.admitted_at.is_not(None),
            RunRow.state.in_(sorted(WORKING)),
        )
        .group_by(RunRow.organization_id, RunRow.id)
        .having(~func.coalesce(func.bool_or(step_is_live), False))
        .subquery()
    )
    age = type_coerce(func.now() - func.min(waiting.c.since), Interval)
    query = select(waiting.c.state, func.count(), age).group_by(waiting.c.state)
    return [(RunState(state), count, oldest) for state, count, oldest in await session.execute(query)]


async def readiness(session: AsyncSession) -> tuple[bool, str | None]:
    """Tell whether this session may write, and the newest migration that the database has seen: one question."""
    question = text(
        "SELECT current_setting('transaction_read_only') = 'off', (SELECT version_num FROM alembic_version)"
    )
    writable, revision = (await session.execute(question)).one()
    return writable, revision


async def make_audit_partitions(session: AsyncSession) -> int:
    """Have the owner's function make the partitions that are missing."""
    made: int = (await session.execute(select(func.make_audit_partitions()))).scalar_one()
    return made
