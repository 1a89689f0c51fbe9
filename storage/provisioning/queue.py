"""Queries of the queue: permits, the one lock of a deployment, and who is next.

Whoever admits takes locks in one order: the organization's permits, then deployments by id, then runs.
"""

from collections.abc import Collection, Sequence
from uuid import UUID

from sqlalchemy import exists, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from domain.deployments.locks import LockHolder
from domain.provisioning.run_states import WORKING
from domain.provisioning.steps import StepOperation
from storage.database import insert_unless_there, locked
from storage.deployments import locks
from storage.deployments.tables import DeploymentLockRow, DeploymentRow
from storage.provisioning.runs import DUE
from storage.provisioning.tables import PermitRow, RunRow, RunStepRow

MOST_AT_ONCE = 100
"""Runs admitted in one transaction; the tick goes on with the rest."""
WHOLE_ORGANIZATION = ""


async def lock_permits(session: AsyncSession, organization_id: UUID) -> dict[str, int | None]:
    """Lock an organization's permits, its own first and those of its environments after it.

    Returns:
        How many runs may work at once, by environment; the empty one is the organization's; None is any number.
    """
    query = locked(
        select(PermitRow).where(PermitRow.organization_id == organization_id).order_by(PermitRow.environment)
    )
    rows = list(await session.scalars(query))
    if not rows:
        whole = PermitRow(organization_id=organization_id, environment=WHOLE_ORGANIZATION, capacity=None)
        await insert_unless_there(session, whole)
        rows = list(await session.scalars(query))
    return {row.environment: row.capacity for row in rows}


async def permits(session: AsyncSession, organization_id: UUID) -> dict[str, int | None]:
    """Read an organization's permits as lock_permits gives them, and lock nothing."""
    query = select(PermitRow).where(PermitRow.organization_id == organization_id)
    return {row.environment: row.capacity for row in await session.scalars(query)}


async def working(session: AsyncSession, organization_id: UUID) -> dict[str, int]:
    """Count the admitted runs that take up a permit, by environment."""
    query = (
        select(RunRow.environment, func.count())
        .where(
            RunRow.organization_id == organization_id,
            RunRow.admitted_at.is_not(None),
            RunRow.state.in_(sorted(WORKING)),
        )
        .group_by(RunRow.environment)
    )
    return dict((await session.execute(query)).all())


async def next_in_line(session: AsyncSession, organization_id: UUID, *, full: Collection[str]) -> list[RunRow]:
    """List the runs that could be admitted now, first come first: the first of each free deployment.

    A run that only plans takes no lock and waits for none. Environments that are full are left out, so that those
    who wait for them stand in nobody's way.
    """
    earlier = aliased(RunRow)
    waits_for_another = exists().where(
        earlier.organization_id == RunRow.organization_id,
        earlier.deployment_id == RunRow.deployment_id,
        earlier.id < RunRow.id,
        earlier.admitted_at.is_(None),
        earlier.finished_at.is_(None),
        earlier.operation != StepOperation.PLAN,
    )
    taken = exists().where(
        DeploymentLockRow.organization_id == RunRow.organization_id,
        DeploymentLockRow.deployment_id == RunRow.deployment_id,
    )
    blocked = exists().where(
        DeploymentRow.organization_id == RunRow.organization_id,
        DeploymentRow.id == RunRow.deployment_id,
        DeploymentRow.blocked_by_run_id.is_not(None),
    )
    query = select(RunRow).where(
        RunRow.organization_id == organization_id,
        RunRow.admitted_at.is_(None),
        RunRow.finished_at.is_(None),
        RunRow.cancel_requested_at.is_(None),
        RunRow.environment.not_in(full),
        (RunRow.operation == StepOperation.PLAN) | ~(waits_for_another | taken | blocked),
    )
    return list(await session.scalars(query.order_by(RunRow.id).limit(MOST_AT_ONCE)))


async def lock_runs(
    session: AsyncSession, organization_id: UUID, run_ids: Sequence[UUID], deployment_ids: Sequence[UUID]
) -> list[RunRow]:
    """Lock deployments, then runs, each by id, and read the runs as they are now."""
    first = select(DeploymentRow.id).where(
        DeploymentRow.organization_id == organization_id, DeploymentRow.id.in_(deployment_ids)
    )
    await session.execute(locked(first.order_by(DeploymentRow.id)))
    query = select(RunRow).where(RunRow.organization_id == organization_id, RunRow.id.in_(run_ids))
    return list(await session.scalars(locked(query.order_by(RunRow.id))))


async def take_lock(session: AsyncSession, run: RunRow) -> bool:
    """Take the lock of the run's deployment; False if somebody has it."""
    lock = DeploymentLockRow(
        organization_id=run.organization_id,
        deployment_id=run.deployment_id,
        holder_kind=LockHolder.RUN,
        run_id=run.id,
        holder=run.requested_by,
    )
    return await locks.take(session, lock)


async def locks_of_ended(session: AsyncSession, organization_id: UUID) -> list[DeploymentLockRow]:
    """List the locks whose runs are final, where no step's lease is live any more."""
    ended = (
        select(RunRow.id)
        .where(RunRow.organization_id == organization_id, RunRow.finished_at.is_not(None))
        .scalar_subquery()
    )
    live = exists().where(
        RunStepRow.organization_id == DeploymentLockRow.organization_id,
        RunStepRow.deployment_id == DeploymentLockRow.deployment_id,
        RunStepRow.fenced,
        RunStepRow.finished_at.is_(None),
        RunStepRow.lease_expires_at > func.now(),
    )
    query = select(DeploymentLockRow).where(
        DeploymentLockRow.organization_id == organization_id, DeploymentLockRow.run_id.in_(ended), ~live
    )
    return list(await session.scalars(query))


async def position(session: AsyncSession, run: RunRow) -> int | None:
    """Count how many runs are before this one in its deployment's line; None once it is admitted."""
    if run.admitted_at is not None or run.finished_at is not None:
        return None
    before = select(func.count()).where(
        RunRow.organization_id == run.organization_id,
        RunRow.deployment_id == run.deployment_id,
        RunRow.id < run.id,
        RunRow.finished_at.is_(None),
        RunRow.operation != StepOperation.PLAN,
    )
    return (await session.execute(before)).scalar_one()


async def first_in_line(session: AsyncSession, run: RunRow) -> RunRow | None:
    """Read the run that waits for the same deployment and goes first; None if that is this one."""
    query = select(RunRow).where(
        RunRow.organization_id == run.organization_id,
        RunRow.deployment_id == run.deployment_id,
        RunRow.id < run.id,
        RunRow.admitted_at.is_(None),
        RunRow.finished_at.is_(None),
        RunRow.operation != StepOperation.PLAN,
    )
    return await session.scalar(query.order_by(RunRow.id).limit(1))


async def organizations_with_work(session: AsyncSession) -> list[UUID]:
    """List, in any order, those with a run that waits or is overdue, or a lock that an ended run still holds."""
    waiting = select(RunRow.organization_id).where(RunRow.admitted_at.is_(None), RunRow.finished_at.is_(None))
    overdue = select(RunRow.organization_id).where(DUE.is_overdue)
    stale = (
        select(DeploymentLockRow.organization_id)
        .join(
            RunRow,
            (RunRow.organization_id == DeploymentLockRow.organization_id)
            & (RunRow.id == DeploymentLockRow.run_id),
        )
        .where(RunRow.finished_at.is_not(None))
    )
    found = waiting.union(overdue, stale).subquery()
    return list(await session.scalars(select(found.c.organization_id).order_by(func.random())))
