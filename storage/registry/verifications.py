"""Queries on verifications of provider releases, and on those that were asked for."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import Select, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from storage.database import locked
from storage.overdue import Due, later_and_later
from storage.registry.kinds import PROVIDERS
from storage.registry.tables import (
    ProviderRow,
    ProviderVersionRow,
    VerificationRequestRow,
    VerificationRow,
)

DUE: Final = Due(
    VerificationRequestRow,
    VerificationRequestRow.organization_id,
    VerificationRequestRow.id,
    VerificationRequestRow.due_at,
    again_at=later_and_later(VerificationRequestRow.asked_at),
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


async def asked(session: AsyncSession, organization_id: UUID, ids: Collection[UUID]) -> list[Asked]:
    """Read what was asked for, in no order."""
    return await _asked(session, _requests(organization_id).where(VerificationRequestRow.id.in_(ids)))


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
        .join(ProviderRow, PROVIDERS.is_of)
        .where(VerificationRequestRow.organization_id == organization_id)
    )


async def _asked(
    session: AsyncSession, query: Select[VerificationRequestRow, ProviderRow, ProviderVersionRow]
) -> list[Asked]:
    rows = await session.execute(query)
    return [Asked(request, provider, release) for request, provider, release in rows]
