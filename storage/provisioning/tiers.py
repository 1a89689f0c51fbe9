"""Queries on tiers."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from domain.provisioning.errors import TierExists
from storage.database import violated
from storage.provisioning.tables import TierRow


async def add(session: AsyncSession, tier: TierRow) -> None:
    """Store a new tier.

    Raises:
        TierExists: the organization has one of this name.
    """
    session.add(tier)
    try:
        await session.flush()  # the constraint speaks now, while the name is at hand
    except IntegrityError as error:
        if violated(error) != "uq_tier_organization_id_name":
            raise
        raise TierExists("there is a tier of this name", name=tier.name) from error


async def get(session: AsyncSession, organization_id: UUID, tier_id: UUID) -> TierRow:
    """Read one tier, which is known to be there."""
    query = select(TierRow).where(TierRow.organization_id == organization_id, TierRow.id == tier_id)
    return (await session.scalars(query)).one()


async def find(session: AsyncSession, organization_id: UUID, name: str) -> TierRow | None:
    """Look a tier up by its name."""
    query = select(TierRow).where(TierRow.organization_id == organization_id, TierRow.name == name)
    return await session.scalar(query)


async def page(session: AsyncSession, organization_id: UUID, *, after: UUID | None, limit: int) -> list[TierRow]:
    """List in order of making, beginning behind the given id."""
    query = select(TierRow).where(TierRow.organization_id == organization_id)
    if after is not None:
        query = query.where(TierRow.id > after)
    return list(await session.scalars(query.order_by(TierRow.id).limit(limit)))
