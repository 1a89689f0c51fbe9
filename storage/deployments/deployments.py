"""Queries on deployments."""

from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from domain.deployments.errors import DeploymentNotFound
from storage.database import insert_unless_there, locked
from storage.deployments.tables import DeploymentRow


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
    name: str | None,
    environment: str | None,
    tag: dict[str, str] | None,
    after: UUID | None,
    limit: int,
) -> list[DeploymentRow]:
    """List the newest first, beginning behind the given id."""
    query = select(DeploymentRow).where(DeploymentRow.organization_id == organization_id)
    if name is not None:
        query = query.where(DeploymentRow.name == name)
    if environment is not None:
        query = query.where(DeploymentRow.environment == environment)
    if tag is not None:
        query = query.where(DeploymentRow.tags.contains(tag))
    if after is not None:
        query = query.where(DeploymentRow.id < after)
    return list(await session.scalars(query.order_by(DeploymentRow.id.desc()).limit(limit)))


async def hold_fence(session: AsyncSession, organization_id: UUID, deployment_id: UUID, token: UUID) -> bool:
    """Keep a token's hold on its deployment until the transaction ends: nobody can take over meanwhile.

    A check inside the write alone would not do: a write left open under the old token could commit after the
    next step has read the newest state.

    Returns:
        Whether it has that hold; if not, another step or recovery has it.
    """
    query = select(DeploymentRow.id).where(
        DeploymentRow.organization_id == organization_id,
        DeploymentRow.id == deployment_id,
        DeploymentRow.step_id == token,
    )
    return await session.scalar(query.with_for_update(read=True)) is not None


async def block(session: AsyncSession, organization_id: UUID, deployment_id: UUID, run_id: UUID) -> None:
    """Let nothing be applied to a deployment until a person has acknowledged what the run left."""
    await session.execute(
        update(DeploymentRow)
        .where(DeploymentRow.organization_id == organization_id, DeploymentRow.id == deployment_id)
        .values(blocked_by_run_id=run_id)
    )
