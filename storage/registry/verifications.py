"""Queries on verifications of provider releases, and on those that were asked for."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import Select, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from storage.database import locked
from storage.registry.tables import (
    ProviderRow,
    ProviderVersionRow,
    VerificationRequestRow,
    VerificationRow,
)


@dataclass(frozen=True, slots=True)
class Asked:
    """A verification that was asked for, and what it is of."""

    request: VerificationRequestRow
    provider: ProviderRow
    release: ProviderVersionRow


async def lock_release(session: AsyncSession, organization_id: UUID, provider_version_id: UUID) -> None:
    """Let nobody else ask for a verification of a release, or change it, until the transaction ends."""
    query = select(ProviderVersionRow).where(
        ProviderVersionRow.organization_id == organization_id, ProviderVersionRow.id == provider_version_id
    )
    await session.scalar(locked(query))


async def open_request(
    session: AsyncSession, organization_id: UUID, provider_version_id: UUID
) -> VerificationRequestRow | None:
    """Read the request of a release whose verification is not recorded yet."""
    query = select(VerificationRequestRow).where(
        VerificationRequestRow.organization_id == organization_id,
        VerificationRequestRow.provider_version_id == provider_version_id,
    )
    return await session.scalar(query)


async def note_sent_again(session: AsyncSession, organization_id: UUID, provider_version_id: UUID) -> None:
    """Note that the files of a release were stored again: what a verification has read may be mended since.

    The provider is locked, as it is while a verification is recorded.
    """
    await lock_release(session, organization_id, provider_version_id)
    await session.execute(
        update(VerificationRequestRow)
        .where(
            VerificationRequestRow.organization_id == organization_id,
            VerificationRequestRow.provider_version_id == provider_version_id,
        )
        .values(sent_again_at=func.clock_timestamp())
    )


async def find_asked(session: AsyncSession, organization_id: UUID, verification_id: UUID) -> Asked | None:
    """Read what was asked for; None once it is recorded, or if its release is gone."""
    found = await _asked(session, _requests(organization_id).where(VerificationRequestRow.id == verification_id))
    return found[0] if found else None


async def lock_asked(
    session: AsyncSession, organization_id: UUID, provider_id: UUID, verification_id: UUID
) -> Asked | None:
    """Read what was asked for, and let nobody change it, its release or its provider until the transaction ends.

    None once it is recorded, or if its release is gone. The provider comes first, as for whoever publishes.
    """
    provider = select(ProviderRow).where(
        ProviderRow.organization_id == organization_id, ProviderRow.id == provider_id
    )
    await session.scalar(locked(provider))
    wanted = _requests(organization_id).where(VerificationRequestRow.id == verification_id)
    found = await _asked(session, locked(wanted))
    return found[0] if found else None


async def find(session: AsyncSession, organization_id: UUID, verification_id: UUID) -> VerificationRow | None:
    """Read one verification; None where it is not recorded."""
    return await session.get(VerificationRow, (organization_id, verification_id))


async def page(
    session: AsyncSession, organization_id: UUID, provider_version_id: UUID, *, after: UUID | None, limit: int
) -> list[VerificationRow]:
    """List the verifications of a release in the order they were asked for, beginning behind the given id."""
    query = select(VerificationRow).where(
        VerificationRow.organization_id == organization_id,
        VerificationRow.provider_version_id == provider_version_id,
    )
    if after is not None:
        query = query.where(VerificationRow.id > after)
    return list(await session.scalars(query.order_by(VerificationRow.id).limit(limit)))


async def organizations_with_overdue(session: AsyncSession, *, grace: timedelta) -> list[UUID]:
    """List, in any order, those with a verification that should have been made longer ago than grace."""
    overdue = VerificationRequestRow.due_at < func.now() - grace
    found = select(VerificationRequestRow.organization_id).where(overdue).distinct().subquery()
    return list(await session.scalars(select(found.c.organization_id).order_by(func.random())))


async def put_off_overdue(
    session: AsyncSession, organization_id: UUID, *, grace: timedelta, limit: int
) -> list[Asked]:
    """Find what should have been made longer ago than grace, the longest overdue first, and put it off."""
    due = select(VerificationRequestRow.id).where(
        VerificationRequestRow.organization_id == organization_id,
        VerificationRequestRow.due_at < func.now() - grace,
    )
    ids = list(
        await session.scalars(locked(due.order_by(VerificationRequestRow.due_at).limit(limit), skip_locked=True))
    )
    overdue = VerificationRequestRow.id.in_(ids)
    await session.execute(
        update(VerificationRequestRow)
        .where(VerificationRequestRow.organization_id == organization_id, overdue)
        .values(due_at=func.now())
    )
    return await _asked(session, _requests(organization_id).where(overdue))


def _requests(
    organization_id: UUID,
) -> Select[VerificationRequestRow, ProviderRow, ProviderVersionRow]:
    return (
        select(VerificationRequestRow, ProviderRow, ProviderVersionRow)
        .join(
            ProviderVersionRow,
            (ProviderVersionRow.organization_id == VerificationRequestRow.organization_id)
            & (ProviderVersionRow.id == VerificationRequestRow.provider_version_id),
        )
        .join(
            ProviderRow,
            (ProviderRow.organization_id == ProviderVersionRow.organization_id)
            & (ProviderRow.id == ProviderVersionRow.provider_id),
        )
        .where(VerificationRequestRow.organization_id == organization_id)
    )


async def _asked(
    session: AsyncSession, query: Select[VerificationRequestRow, ProviderRow, ProviderVersionRow]
) -> list[Asked]:
    rows = await session.execute(query)
    return [Asked(request, provider, release) for request, provider, release in rows]
