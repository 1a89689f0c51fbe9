"""Queries on the steps of runs."""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.provisioning.errors import StepSuperseded
from domain.provisioning.steps import StepPhase
from storage.database import locked, now
from storage.provisioning.tables import RunRow, RunStepRow


async def get(session: AsyncSession, organization_id: UUID, step_id: UUID, *, lock: bool = False) -> RunStepRow:
    """Read the step that a token belongs to.

    Raises:
        StepSuperseded: no step ever had this token in this organization.
    """
    query = select(RunStepRow).where(RunStepRow.organization_id == organization_id, RunStepRow.id == step_id)
    row = await session.scalar(locked(query) if lock else query)
    if row is None:
        raise StepSuperseded("no step has this token", step_id=str(step_id))
    return row


async def newest(session: AsyncSession, organization_id: UUID, run_id: UUID) -> RunStepRow | None:
    """Read the step of a run that was admitted last."""
    query = select(RunStepRow).where(RunStepRow.organization_id == organization_id, RunStepRow.run_id == run_id)
    query = query.order_by(RunStepRow.number.desc()).limit(1).execution_options(populate_existing=True)
    return await session.scalar(query)


async def of_run(session: AsyncSession, organization_id: UUID, run_id: UUID) -> list[RunStepRow]:
    """List a run's steps in their order."""
    query = select(RunStepRow).where(RunStepRow.organization_id == organization_id, RunStepRow.run_id == run_id)
    return list(await session.scalars(query.order_by(RunStepRow.number)))


async def find(session: AsyncSession, step_id: UUID) -> RunStepRow:
    """Read a step of whichever organization; needs the platform's role.

    Raises:
        StepSuperseded: no step ever had this token.
    """
    row = await session.scalar(select(RunStepRow).where(RunStepRow.id == step_id))
    if row is None:
        raise StepSuperseded("no step has this token", step_id=str(step_id))
    return row


async def live_on(session: AsyncSession, organization_id: UUID, deployment_id: UUID) -> RunStepRow | None:
    """Look for a step that writes the deployment's state and whose lease is live."""
    query = select(RunStepRow).where(
        RunStepRow.organization_id == organization_id,
        RunStepRow.deployment_id == deployment_id,
        RunStepRow.fenced,
        RunStepRow.finished_at.is_(None),
        RunStepRow.lease_expires_at > func.now(),
    )
    return await session.scalar(query.limit(1))


async def any_apply_of(session: AsyncSession, organization_id: UUID, deployment_id: UUID) -> bool:
    """Tell whether a CLI was ever started to apply something to a deployment."""
    its_runs = select(RunRow.id).where(
        RunRow.organization_id == organization_id, RunRow.deployment_id == deployment_id
    )
    query = select(RunStepRow.id).where(
        RunStepRow.organization_id == organization_id,
        RunStepRow.run_id.in_(its_runs),
        RunStepRow.phase == StepPhase.APPLY,
        RunStepRow.cli_started_at.is_not(None),
    )
    return await session.scalar(query.limit(1)) is not None


async def time_left(session: AsyncSession, moment: datetime) -> timedelta | None:
    """Tell how long it is until a moment, by the database's clock; None if it has passed."""
    left = moment - await now(session)
    return left if left > timedelta() else None


async def count_failures(session: AsyncSession, step: RunStepRow) -> int:
    """Count the attempts of a step's phase in its round, up to this one, that have no excuse."""
    query = select(func.count()).where(
        RunStepRow.organization_id == step.organization_id,
        RunStepRow.run_id == step.run_id,
        RunStepRow.round == step.round,
        RunStepRow.phase == step.phase,
        RunStepRow.attempt <= step.attempt,
        ~RunStepRow.excused,
    )
    return (await session.execute(query)).scalar_one()
