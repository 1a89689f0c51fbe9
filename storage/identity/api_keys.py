"""Queries on API keys and on the rights of their owners."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, or_, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from domain.identity.errors import ApiKeyNotFound
from domain.identity.keys import KeyKind
from domain.identity.permissions import EVERYTHING, Permission
from storage.database import locked
from storage.identity.tables import ApiKeyRow, RoleGrantRow, RoleRow


@dataclass(frozen=True, slots=True)
class FoundKey:
    """What the check of a key needs, before its organization is known."""

    organization_id: UUID
    id: UUID
    hash: str
    owner_id: UUID
    scopes: list[str]
    valid_until: datetime | None
    status: str
    trial_ends_at: datetime | None


async def find_by_kid(session: AsyncSession, kid: str) -> FoundKey | None:
    """Find a key that is good by its public part, in whichever organization; needs the platform's role."""
    row = (await session.execute(text("SELECT * FROM find_api_key(:kid)"), {"kid": kid})).mappings().first()
    return None if row is None else FoundKey(**row)


async def rights_of(session: AsyncSession, organization_id: UUID, user_id: UUID) -> dict[str, list[str]]:
    """Tell a user's permissions by scope type (`platform`, `organization`), from grants that are in force."""
    rows = await session.execute(
        select(RoleGrantRow.scope_type, RoleRow.permissions)
        .join(RoleRow, RoleRow.id == RoleGrantRow.role_id)
        .where(
            RoleGrantRow.organization_id == organization_id,
            RoleGrantRow.subject_type == "user",
            RoleGrantRow.subject_id == user_id,
            RoleGrantRow.environments.is_(None),
            or_(RoleGrantRow.not_after.is_(None), RoleGrantRow.not_after > func.now()),
        )
    )
    rights: dict[str, list[str]] = {}
    for scope_type, permissions in rows:
        rights.setdefault(scope_type, []).extend(permissions)
    return rights


async def get(session: AsyncSession, organization_id: UUID, key_id: UUID) -> ApiKeyRow:
    """Read one key under lock.

    Raises:
        ApiKeyNotFound: unknown, or another organization's.
    """
    query = select(ApiKeyRow).where(ApiKeyRow.organization_id == organization_id, ApiKeyRow.id == key_id)
    row = await session.scalar(locked(query))
    if row is None:
        raise ApiKeyNotFound("there is no such API key", key_id=str(key_id))
    return row


async def that_make_keys(session: AsyncSession, organization_id: UUID) -> list[ApiKeyRow]:
    """Read the keys under lock that are good and may make others, as far as their scopes tell."""
    query = select(ApiKeyRow).where(
        ApiKeyRow.organization_id == organization_id,
        ApiKeyRow.kind != KeyKind.RUN,
        ApiKeyRow.revoked_at.is_(None),
        or_(ApiKeyRow.expires_at.is_(None), ApiKeyRow.expires_at > func.now()),
        ApiKeyRow.scopes.overlap([EVERYTHING, Permission.API_KEY_CREATE.value]),
    )
    return list(await session.scalars(locked(query.order_by(ApiKeyRow.id))))


async def page(session: AsyncSession, organization_id: UUID, *, after: UUID | None, limit: int) -> list[ApiKeyRow]:
    """List keys of people and machines in order of making, revoked ones included, behind the given id."""
    query = select(ApiKeyRow).where(ApiKeyRow.organization_id == organization_id, ApiKeyRow.kind != KeyKind.RUN)
    if after is not None:
        query = query.where(ApiKeyRow.id > after)
    return list(await session.scalars(query.order_by(ApiKeyRow.id).limit(limit)))


async def touch(session: AsyncSession, used: dict[UUID, datetime]) -> None:
    """Note when keys were used last; a key that another process is noting is left for its next time."""
    query = select(ApiKeyRow.id).where(ApiKeyRow.id.in_(used)).order_by(ApiKeyRow.id)
    for key_id in (await session.scalars(locked(query, skip_locked=True))).all():
        await session.execute(update(ApiKeyRow).where(ApiKeyRow.id == key_id).values(last_used_at=used[key_id]))
