"""Queries on the states that deployments went through."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from storage.database import insert_unless_there
from storage.deployments.tables import StateQuarantineRow, StateVersionRow


async def newest(session: AsyncSession, organization_id: UUID, deployment_id: UUID) -> StateVersionRow | None:
    """Read the state with the highest serial; None for a deployment that has none yet."""
    query = select(StateVersionRow).where(
        StateVersionRow.organization_id == organization_id, StateVersionRow.deployment_id == deployment_id
    )
    return await session.scalar(query.order_by(StateVersionRow.serial.desc()).limit(1))


async def newest_times(
    session: AsyncSession, organization_id: UUID, deployment_ids: Sequence[UUID]
) -> dict[UUID, datetime]:
    """Tell when the newest states of deployments came; those that have none are left out."""
    query = select(StateVersionRow.deployment_id, func.max(StateVersionRow.created_at)).where(
        StateVersionRow.organization_id == organization_id, StateVersionRow.deployment_id.in_(deployment_ids)
    )
    return dict((await session.execute(query.group_by(StateVersionRow.deployment_id))).all())


async def find(
    session: AsyncSession, organization_id: UUID, deployment_id: UUID, serial: int
) -> StateVersionRow | None:
    """Look up the state of one serial."""
    query = select(StateVersionRow).where(
        StateVersionRow.organization_id == organization_id,
        StateVersionRow.deployment_id == deployment_id,
        StateVersionRow.serial == serial,
    )
    return await session.scalar(query)


async def page(
    session: AsyncSession, organization_id: UUID, deployment_id: UUID, *, after: UUID | None, limit: int
) -> list[StateVersionRow]:
    """List the newest first, beginning behind the given id."""
    query = select(StateVersionRow).where(
        StateVersionRow.organization_id == organization_id, StateVersionRow.deployment_id == deployment_id
    )
    if after is not None:
        query = query.where(StateVersionRow.id < after)
    return list(await session.scalars(query.order_by(StateVersionRow.id.desc()).limit(limit)))


async def quarantine(session: AsyncSession, state: StateQuarantineRow) -> bool:
    """Keep a state that does not fit; the same bytes of the same step are kept once.

    Returns:
        Whether it was not there before.
    """
    return await insert_unless_there(session, state)
