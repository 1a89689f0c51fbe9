"""Idempotency keys, claimed in the transaction that does the work."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from domain.errors import IdempotencyKeyReused
from domain.idempotency import KEPT, Claim
from domain.scope import Scope
from storage.database import Base, insert_unless_there


class IdempotencyKeyRow(Base):
    """A key that was used on an operation, and what the request made."""

    __tablename__ = "idempotency_key"

    organization_id: Mapped[UUID] = mapped_column(primary_key=True)
    operation: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    digest: Mapped[str]
    resource_id: Mapped[UUID]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now(), index=True)


async def claim(session: AsyncSession, scope: Scope, claim: Claim | None, resource_id: UUID) -> UUID:
    """Claim the key for a thing about to be made with this id.

    A second request waits here for the first one's transaction: the unique index decides, not a check.

    Returns:
        The id given, if it is the caller's turn to make the thing (always so without a claim); another id if
        an earlier request with this key has made it.

    Raises:
        IdempotencyKeyReused: the key was used for another request.
    """
    if claim is None:
        return resource_id
    await insert_unless_there(
        session,
        IdempotencyKeyRow(
            organization_id=scope.organization_id,
            operation=claim.operation,
            key=claim.key,
            digest=claim.digest,
            resource_id=resource_id,
        ),
    )
    row = (
        await session.scalars(
            select(IdempotencyKeyRow).where(
                IdempotencyKeyRow.organization_id == scope.organization_id,
                IdempotencyKeyRow.operation == claim.operation,
                IdempotencyKeyRow.key == claim.key,
            )
        )
    ).one()
    if row.digest != claim.digest:
        raise IdempotencyKeyReused(
            "this Idempotency-Key was used for another request; take a new key", operation=claim.operation
        )
    return row.resource_id


async def forget_old(session: AsyncSession, *, limit: int) -> int:
    """Forget keys of all organizations that are older than KEPT, the oldest first; needs the platform's role.

    Returns:
        How many.
    """
    key = (IdempotencyKeyRow.organization_id, IdempotencyKeyRow.operation, IdempotencyKeyRow.key)
    old = select(*key).where(IdempotencyKeyRow.created_at < func.now() - KEPT)
    oldest = old.order_by(IdempotencyKeyRow.created_at).limit(limit)
    gone = delete(IdempotencyKeyRow).where(tuple_(*key).in_(oldest)).returning(IdempotencyKeyRow.created_at)
    return len((await session.execute(gone)).all())
