"""Queries on runs."""

from collections.abc import Collection
from typing import Final
from uuid import UUID

from sqlalchemy import func, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncSession

from domain.provisioning.decisions import PHASE_OF
from domain.provisioning.errors import RunNotFound
from domain.provisioning.run_states import RunState
from domain.provisioning.runs import RunFilter
from domain.provisioning.steps import StepOperation
from storage.database import locked
from storage.deployments.tables import DeploymentRow
from storage.overdue import Due
from storage.provisioning.tables import RunOutputRow, RunRow, RunSecretInputRow, RunStepRow

DUE: Final = Due(RunRow, RunRow.organization_id, RunRow.id, RunRow.due_at, again_at=func.now())


async def get(session: AsyncSession, organization_id: UUID, run_id: UUID, *, lock: bool = False) -> RunRow:
    """Read one run; with lock, nobody else changes it until the transaction ends.

    Raises:
        RunNotFound: unknown, or another organization's.
    """
    query = select(RunRow).where(RunRow.organization_id == organization_id, RunRow.id == run_id)
    if lock:
        query = locked(query)
    row = await session.scalar(query)
    if row is None:
        raise RunNotFound("there is no such run", run_id=str(run_id))
    return row


async def page(
    session: AsyncSession, organization_id: UUID, wanted: RunFilter, *, after: UUID | None, limit: int
) -> list[RunRow]:
    """List the newest first, beginning behind the given id."""
    query = select(RunRow).where(RunRow.organization_id == organization_id)
    if wanted.state is not None:
        query = query.where(RunRow.state == wanted.state)
    if wanted.deployment_id is not None:
        query = query.where(RunRow.deployment_id == wanted.deployment_id)
    if wanted.environment is not None:
        query = query.where(RunRow.environment == wanted.environment)
    if wanted.tag is not None:
        query = query.where(RunRow.tags.contains(wanted.tag))
    if after is not None:
        query = query.where(RunRow.id < after)
    return list(await session.scalars(query.order_by(RunRow.id.desc()).limit(limit)))


async def basis(session: AsyncSession, deployment: DeploymentRow) -> RunRow | None:
    """Read the run that a deployment is as: the last applied, else the newest that was to be, else the newest.

    One that ended before it had a plan comes last, for what it was given may be what was wrong.
    """
    if deployment.applied_run_id is not None:
        return await get(session, deployment.organization_id, deployment.applied_run_id)
    query = select(RunRow).where(
        RunRow.organization_id == deployment.organization_id, RunRow.deployment_id == deployment.id
    )
    may_plan = RunRow.finished_at.is_(None) | RunRow.plan_step_id.is_not(None)
    was_to_be = RunRow.operation != StepOperation.PLAN
    return await session.scalar(query.order_by(may_plan.desc(), was_to_be.desc(), RunRow.id.desc()).limit(1))


async def any_used(session: AsyncSession, deployment: DeploymentRow, *, source: str, version: str) -> bool:
    """Tell whether a run of a deployment, whatever came of it, was of this version of a module."""
    query = select(RunRow.id).where(
        RunRow.organization_id == deployment.organization_id,
        RunRow.deployment_id == deployment.id,
        RunRow.module_source == source,
        RunRow.module_version == version,
    )
    return await session.scalar(query.limit(1)) is not None


async def listed(session: AsyncSession, organization_id: UUID, run_ids: Collection[UUID]) -> list[RunRow]:
    """Read runs, in no order."""
    query = select(RunRow).where(RunRow.organization_id == organization_id, RunRow.id.in_(run_ids))
    return list(await session.scalars(query))


async def states_of(session: AsyncSession, wanted: Collection[tuple[UUID, UUID]]) -> dict[UUID, RunState]:
    """Tell where runs are, each named by its organization and its id."""
    query = select(RunRow.id, RunRow.state).where(tuple_(RunRow.organization_id, RunRow.id).in_(wanted))
    rows = await session.execute(query)
    return {run_id: RunState(state) for run_id, state in rows}


async def void_plans(session: AsyncSession, organization_id: UUID, deployment_id: UUID) -> list[RunRow]:
    """Let no plan be applied, approved or not, that was made, or is being made, from what is no longer so.

    Returns:
        The runs whose plans those are, for whoever wakes them.
    """
    begun = select(func.max(RunStepRow.round)).where(
        RunStepRow.organization_id == RunRow.organization_id, RunStepRow.run_id == RunRow.id
    )
    voided = (
        update(RunRow)
        .where(
            RunRow.organization_id == organization_id,
            RunRow.deployment_id == deployment_id,
            RunRow.operation != StepOperation.PLAN,
            RunRow.state.in_(sorted(PHASE_OF.keys() | {RunState.AWAITING_APPROVAL})),
        )
        .values(plan_voided_round=func.coalesce(begun.scalar_subquery(), 1), due_at=func.now())
        .returning(RunRow)
    )
    return list(await session.scalars(voided, execution_options={"populate_existing": True}))


async def secret_inputs(session: AsyncSession, organization_id: UUID, run_id: UUID) -> dict[str, bytes]:
    """Read a run's secret inputs, sealed."""
    query = select(RunSecretInputRow.name, RunSecretInputRow.sealed).where(
        RunSecretInputRow.organization_id == organization_id, RunSecretInputRow.run_id == run_id
    )
    return dict((await session.execute(query)).all())


async def outputs(session: AsyncSession, organization_id: UUID, run_id: UUID) -> list[RunOutputRow]:
    """Read a run's outputs by name."""
    query = select(RunOutputRow).where(
        RunOutputRow.organization_id == organization_id, RunOutputRow.run_id == run_id
    )
    return list(await session.scalars(query.order_by(RunOutputRow.name)))


async def set_progress(
    session: AsyncSession,
    organization_id: UUID,
    run_id: UUID,
    *,
    stage: str,
    done: int,
    total: int | None,
    message: str,
) -> None:
    """Write where a run's step is, without waiting for whoever holds the row."""
    query = select(RunRow.id).where(
        RunRow.organization_id == organization_id, RunRow.id == run_id, RunRow.finished_at.is_(None)
    )
    free = locked(query, skip_locked=True).scalar_subquery()
    await session.execute(
        update(RunRow)
        .where(RunRow.organization_id == organization_id, RunRow.id == free)
        .values(stage=stage, progress_done=done, progress_total=total, progress_message=message)
    )
