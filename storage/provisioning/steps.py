"""Queries on the steps of runs."""

from datetime import timedelta
from uuid import UUID

from sqlalchemy import Interval, func, select, type_coerce, update
from sqlalchemy.ext.asyncio import AsyncSession

from domain.provisioning.errors import StepSuperseded
from domain.run_steps import StepPhase
from storage.provisioning.tables import RunStepRow


async def get(session: AsyncSession, organization_id: UUID, step_id: UUID, *, lock: bool = False) -> RunStepRow:
    """Read the step that a token belongs to.

    Raises:
        StepSuperseded: no step ever had this token in this organization.
    """
    query = select(RunStepRow).where(RunStepRow.organization_id == organization_id, RunStepRow.id == step_id)
    row = await session.scalar(query.with_for_update(key_share=True) if lock else query)
    if row is None:
        raise StepSuperseded("no step has this token", step_id=str(step_id))
    return row


async def newest(
    session: AsyncSession, organization_id: UUID, run_id: UUID, phase: StepPhase
) -> RunStepRow | None:
    """Read the newest attempt of a phase."""
    query = select(RunStepRow).where(
        RunStepRow.organization_id == organization_id,
        RunStepRow.run_id == run_id,
        RunStepRow.phase == phase,
    )
    query = query.order_by(RunStepRow.attempt.desc()).limit(1).execution_options(populate_existing=True)
    return await session.scalar(query)


async def of_run(session: AsyncSession, organization_id: UUID, run_id: UUID) -> list[RunStepRow]:
    """List a run's steps in their order."""
    query = select(RunStepRow).where(RunStepRow.organization_id == organization_id, RunStepRow.run_id == run_id)
    return list(await session.scalars(query.order_by(RunStepRow.number)))


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


async def lease_left(session: AsyncSession, step: RunStepRow) -> timedelta | None:
    """Tell how long a step's lease still lasts, by the database's clock; None if it has ended."""
    left: timedelta = (
        await session.execute(
            select(type_coerce(RunStepRow.lease_expires_at - func.now(), Interval)).where(
                RunStepRow.organization_id == step.organization_id, RunStepRow.id == step.id
            )
        )
    ).scalar_one()
    return left if left > timedelta() else None


async def end_lease_of_unstarted(
    session: AsyncSession, organization_id: UUID, step_id: UUID, *, reason: str
) -> None:
    """Let the lease of a step end now, unless its CLI was started."""
    await session.execute(
        update(RunStepRow)
        .where(
            RunStepRow.organization_id == organization_id,
            RunStepRow.id == step_id,
            RunStepRow.cli_started_at.is_(None),
            RunStepRow.finished_at.is_(None),
        )
        .values(lease_expires_at=func.now(), error_message=reason)
    )
