"""Queries on the one lock of a deployment, whoever holds it.

A lock's row says who holds it: the same row takes and releases it. Whoever has released one admits who is next, in
the same transaction (services.provisioning.admission).
"""

from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from storage.database import insert_unless_there
from storage.deployments.tables import DeploymentLockRow


async def take(session: AsyncSession, lock: DeploymentLockRow) -> bool:
    """Take the lock of a deployment; False if somebody has it."""
    return await insert_unless_there(session, lock)


async def release(session: AsyncSession, lock: DeploymentLockRow) -> bool:
    """Let go of the lock of a deployment; False if this holder does not have it, and then nothing happens."""
    held = delete(DeploymentLockRow).where(
        DeploymentLockRow.organization_id == lock.organization_id,
        DeploymentLockRow.deployment_id == lock.deployment_id,
        DeploymentLockRow.holder_kind == lock.holder_kind,
        DeploymentLockRow.run_id.is_not_distinct_from(lock.run_id),
        DeploymentLockRow.holder == lock.holder,
    )
    return await session.scalar(held.returning(DeploymentLockRow.deployment_id)) is not None


async def find(session: AsyncSession, organization_id: UUID, deployment_id: UUID) -> DeploymentLockRow | None:
    """Read the lock of a deployment; None if it is free."""
    return await session.get(DeploymentLockRow, (organization_id, deployment_id))


async def is_held_by_run(session: AsyncSession, organization_id: UUID, deployment_id: UUID, run_id: UUID) -> bool:
    """Tell whether a run holds the deployment."""
    query = select(DeploymentLockRow.deployment_id).where(
        DeploymentLockRow.organization_id == organization_id,
        DeploymentLockRow.deployment_id == deployment_id,
        DeploymentLockRow.run_id == run_id,
    )
    return await session.scalar(query) is not None
