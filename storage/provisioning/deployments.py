"""Queries on deployments and the states they went through."""

from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from domain.provisioning.errors import DeploymentNotFound, StepSuperseded
from domain.provisioning.states import RunState
from domain.provisioning.steps import StepOperation
from storage.database import insert_unless_there, locked
from storage.provisioning.tables import (
    DeploymentRow,
    RunRow,
    RunStepRow,
    StateQuarantineRow,
    StateVersionRow,
)


async def get_or_add(session: AsyncSession, wanted: DeploymentRow) -> tuple[DeploymentRow, bool]:
    """Read the deployment of the wanted one's name, locked, or store the wanted one.

    Returns:
        The row, and whether it is new.
    """
    is_new = await insert_unless_there(session, wanted, by=["organization_id", "name"])
    query = select(DeploymentRow).where(
        DeploymentRow.organization_id == wanted.organization_id, DeploymentRow.name == wanted.name
    )
    return (await session.scalars(locked(query))).one(), is_new


async def find(session: AsyncSession, organization_id: UUID, name: str) -> DeploymentRow | None:
    """Look a deployment up by its name."""
    query = select(DeploymentRow).where(
        DeploymentRow.organization_id == organization_id, DeploymentRow.name == name
    )
    return await session.scalar(query)


async def get(
    session: AsyncSession, organization_id: UUID, deployment_id: UUID, *, lock: bool = False
) -> DeploymentRow:
    """Read one deployment; with lock, nobody else changes it until the transaction ends.

    Raises:
        DeploymentNotFound: unknown, or another organization's.
    """
    query = select(DeploymentRow).where(
        DeploymentRow.organization_id == organization_id, DeploymentRow.id == deployment_id
    )
    if lock:
        query = locked(query)
    row = await session.scalar(query)
    if row is None:
        raise DeploymentNotFound("there is no such deployment", deployment_id=str(deployment_id))
    return row


async def page(
    session: AsyncSession,
    organization_id: UUID,
    *,
    environment: str | None,
    tag: dict[str, str] | None,
    after: UUID | None,
    limit: int,
) -> list[DeploymentRow]:
    """List the newest first, beginning behind the given id."""
    query = select(DeploymentRow).where(DeploymentRow.organization_id == organization_id)
    if environment is not None:
        query = query.where(DeploymentRow.environment == environment)
    if tag is not None:
        query = query.where(DeploymentRow.tags.contains(tag))
    if after is not None:
        query = query.where(DeploymentRow.id < after)
    return list(await session.scalars(query.order_by(DeploymentRow.id.desc()).limit(limit)))


async def hold_fence(session: AsyncSession, step: RunStepRow) -> None:
    """Keep the step's hold on its deployment until the transaction ends: no other step can take over meanwhile.

    A check inside the write alone would not do: a write left open under the old token could commit after the
    next step has read the newest state.

    Raises:
        StepSuperseded: another step, or recovery, holds the deployment.
    """
    if not step.fenced:
        return  # a run that only plans writes its own rows, and no state
    query = select(DeploymentRow.id).where(
        DeploymentRow.organization_id == step.organization_id,
        DeploymentRow.id == step.deployment_id,
        DeploymentRow.step_id == step.id,
    )
    if await session.scalar(query.with_for_update(read=True)) is None:
        raise StepSuperseded("another step holds the deployment", step_id=str(step.id))


async def newest_state(
    session: AsyncSession, organization_id: UUID, deployment_id: UUID
) -> StateVersionRow | None:
    """Read the state with the highest serial; None for a deployment that has none yet."""
    query = select(StateVersionRow).where(
        StateVersionRow.organization_id == organization_id, StateVersionRow.deployment_id == deployment_id
    )
    return await session.scalar(query.order_by(StateVersionRow.serial.desc()).limit(1))


async def get_state(
    session: AsyncSession, organization_id: UUID, deployment_id: UUID, serial: int
) -> StateVersionRow | None:
    """Look up the state of one serial."""
    query = select(StateVersionRow).where(
        StateVersionRow.organization_id == organization_id,
        StateVersionRow.deployment_id == deployment_id,
        StateVersionRow.serial == serial,
    )
    return await session.scalar(query)


async def states(
    session: AsyncSession, organization_id: UUID, deployment_id: UUID, *, after: UUID | None, limit: int
) -> list[StateVersionRow]:
    """List the newest first, beginning behind the given id."""
    query = select(StateVersionRow).where(
        StateVersionRow.organization_id == organization_id, StateVersionRow.deployment_id == deployment_id
    )
    if after is not None:
        query = query.where(StateVersionRow.id < after)
    return list(await session.scalars(query.order_by(StateVersionRow.id.desc()).limit(limit)))


async def block(session: AsyncSession, organization_id: UUID, deployment_id: UUID, run_id: UUID) -> list[RunRow]:
    """Let nothing be applied to a deployment until a person has acknowledged what the run left.

    A plan that was made, or is being made, without knowing of it can't be applied any more, approved or not.

    Returns:
        The runs whose plans those are, for whoever wakes them.
    """
    await session.execute(
        update(DeploymentRow)
        .where(DeploymentRow.organization_id == organization_id, DeploymentRow.id == deployment_id)
        .values(blocked_by_run_id=run_id)
    )
    voided = (
        update(RunRow)
        .where(
            RunRow.organization_id == organization_id,
            RunRow.deployment_id == deployment_id,
            RunRow.operation != StepOperation.PLAN,
            RunRow.state.in_([RunState.PLANNING, RunState.AWAITING_APPROVAL, RunState.APPLYING]),
        )
        .values(plan_voided_at=func.now(), due_at=func.now())
        .returning(RunRow)
    )
    return list(await session.scalars(voided, execution_options={"populate_existing": True}))


async def quarantine(session: AsyncSession, state: StateQuarantineRow) -> bool:
    """Keep a state that does not fit; the same bytes of the same step are kept once.

    Returns:
        Whether it was not there before.
    """
    return await insert_unless_there(session, state)
