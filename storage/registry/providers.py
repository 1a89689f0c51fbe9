"""Queries on providers and their releases."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import Select, func, or_, select
from sqlalchemy.dialects.postgresql import ARRAY, TEXT
from sqlalchemy.ext.asyncio import AsyncSession

from domain.registry.errors import ProviderNotFound
from domain.registry.names import ProviderAddress
from domain.registry.versions import LONGEST, canonical, latest
from storage.database import insert_unless_there, locked
from storage.registry.kinds import PROVIDERS
from storage.registry.latest import page_with_latest as of_latest
from storage.registry.tables import GpgKeyRow, ProviderPlatformRow, ProviderRow, ProviderVersionRow

Releases = TypeVar("Releases", bound=Select[*tuple[Any, ...]])


async def add_or_lock(session: AsyncSession, provider: ProviderRow) -> ProviderRow:
    """Store a provider unless it is there; give its row, which nobody changes until the transaction ends."""
    await insert_unless_there(session, provider)
    address = ProviderAddress(provider.namespace, provider.type)
    return (await session.scalars(locked(_of_address(provider.organization_id, address)))).one()


async def find(session: AsyncSession, organization_id: UUID, address: ProviderAddress) -> ProviderRow | None:
    """Read one provider; None where nothing of it was published."""
    return await session.scalar(_of_address(organization_id, address))


async def get(session: AsyncSession, organization_id: UUID, address: ProviderAddress) -> ProviderRow:
    """Read one provider.

    Raises:
        ProviderNotFound: unknown, or another organization's.
    """
    return _there(await find(session, organization_id, address), address)


async def get_locked(session: AsyncSession, organization_id: UUID, address: ProviderAddress) -> ProviderRow:
    """Read one provider, and let nobody change it until the transaction ends.

    Raises:
        ProviderNotFound: unknown, or another organization's.
    """
    return _there(await session.scalar(locked(_of_address(organization_id, address))), address)


async def find_version(
    session: AsyncSession, organization_id: UUID, provider_id: UUID, version: str
) -> ProviderVersionRow | None:
    """Read one release; None where it was not published."""
    query = select(ProviderVersionRow).where(
        ProviderVersionRow.organization_id == organization_id,
        ProviderVersionRow.provider_id == provider_id,
        ProviderVersionRow.version == version,
    )
    return await session.scalar(query)


async def get_version(
    session: AsyncSession, organization_id: UUID, address: ProviderAddress, version: str
) -> ProviderVersionRow:
    """Read the release that somebody asks for, whatever became of it; `v1.0` means 1.0.0, as to the tools.

    Raises:
        ProviderNotFound: no such provider, or no such version of it.
    """
    wanted = canonical(version)
    query = (
        select(ProviderVersionRow)
        .join(ProviderRow, PROVIDERS.is_of)
        .where(
            ProviderVersionRow.organization_id == organization_id,
            ProviderRow.namespace == address.namespace,
            ProviderRow.type == address.type,
            ProviderVersionRow.version == wanted,
        )
    )
    found = None if wanted is None else await session.scalar(query)
    if found is None:
        await get(session, organization_id, address)
        raise ProviderNotFound(
            "there is no such version of this provider", provider=str(address), version=version[:LONGEST]
        )
    return found


@dataclass(frozen=True, slots=True)
class Alike:
    """Releases of a provider that differ in nothing but their versions."""

    versions: list[str]
    protocols: list[str]
    platforms: list[str]
    gpg_key_id: UUID
    withdrawn: bool
    """Whether each is deprecated or yanked; their rows say why."""
    vouched: bool
    """Whether a good key vouches for each, and no later verification refused it."""


async def alike(session: AsyncSession, organization_id: UUID, provider_id: UUID) -> list[Alike]:
    """List a provider's releases, whatever became of them, in no order.

    They come from the index alone: there may be hundreds.
    """
    row = ProviderVersionRow
    said = (
        row.protocols,
        row.platforms,
        row.gpg_key_id,
        row.deprecated_at.is_not(None) | row.yanked_at.is_not(None),
        row.refused_at.is_(None) & GpgKeyRow.revoked_at.is_(None),
    )
    versions = func.array_agg(row.version, type_=ARRAY(TEXT))
    query = _with_key(select(versions, *said), organization_id, provider_id).group_by(*said)
    groups = [
        Alike(list(of), protocols, platforms, key_id, withdrawn, vouched)
        for of, protocols, platforms, key_id, withdrawn, vouched in await session.execute(query)
    ]
    unfilled = [group for group in groups if not group.platforms]
    if not unfilled:
        return groups
    of_packages = await _of_packages(session, organization_id, provider_id)
    return [group for group in groups if group.platforms] + [
        replace(group, versions=[version], platforms=of_packages.get(version, []))
        for group in unfilled
        for version in group.versions
    ]


async def _of_packages(session: AsyncSession, organization_id: UUID, provider_id: UUID) -> dict[str, list[str]]:
    """Tell the platforms of releases whose rows do not: a server of the release before has written them."""
    row, package = ProviderVersionRow, ProviderPlatformRow
    query = (
        select(row.version, package.os + "_" + package.arch)
        .join(package, (package.organization_id == row.organization_id) & (package.provider_version_id == row.id))
        .where(row.organization_id == organization_id, row.provider_id == provider_id, row.platforms == [])
        .order_by(package.os, package.arch)
    )
    found: dict[str, list[str]] = {}
    for version, platform in await session.execute(query):
        found.setdefault(version, []).append(platform)
    return found


async def of_versions(
    session: AsyncSession, organization_id: UUID, provider_id: UUID, versions: Collection[str]
) -> list[ProviderVersionRow]:
    """Read the releases of some versions, in no order."""
    query = select(ProviderVersionRow).where(
        ProviderVersionRow.organization_id == organization_id,
        ProviderVersionRow.provider_id == provider_id,
        ProviderVersionRow.version.in_(versions),
    )
    return list(await session.scalars(query))


async def page_of_versions(
    session: AsyncSession, organization_id: UUID, provider_id: UUID, *, after: UUID | None, limit: int
) -> list[ProviderVersionRow]:
    """List all of a provider's releases in order of publication, whatever became of them."""
    query = select(ProviderVersionRow).where(
        ProviderVersionRow.organization_id == organization_id, ProviderVersionRow.provider_id == provider_id
    )
    if after is not None:
        query = query.where(ProviderVersionRow.id > after)
    return list(await session.scalars(query.order_by(ProviderVersionRow.id).limit(limit)))


async def versions(session: AsyncSession, organization_id: UUID, provider_id: UUID) -> dict[str, bool]:
    """Tell of each version that is offered (those that are yanked are not) whether it is deprecated."""
    row = ProviderVersionRow
    query = _vouched(select(row.version, row.deprecated_at.is_not(None)), organization_id, provider_id)
    found = await session.execute(query.where(row.yanked_at.is_(None)))
    return dict(found.all())


async def note_latest(session: AsyncSession, provider: ProviderRow) -> None:
    """Bring a locked provider's latest version up to date, after a change of what can be installed of it."""
    offered = await versions(session, provider.organization_id, provider.id)
    provider.latest_version = latest(offered)
    provider.deprecated = offered.get(provider.latest_version or "", False)


async def signed_by(session: AsyncSession, organization_id: UUID, key_id: UUID) -> list[ProviderRow]:
    """List the providers that have releases by a key, and let nobody change them until the transaction ends."""
    releases = select(ProviderVersionRow.provider_id).where(
        ProviderVersionRow.organization_id == organization_id, ProviderVersionRow.gpg_key_id == key_id
    )
    query = select(ProviderRow).where(ProviderRow.organization_id == organization_id, ProviderRow.id.in_(releases))
    return list(await session.scalars(locked(query.order_by(ProviderRow.id))))


async def releases_of_key(
    session: AsyncSession, organization_id: UUID, key_id: UUID
) -> list[tuple[ProviderAddress, str]]:
    """List the releases that a key signed and no verification refused, by address and version."""
    query = (
        select(ProviderRow.namespace, ProviderRow.type, ProviderVersionRow.version)
        .join(ProviderRow, PROVIDERS.is_of)
        .where(
            ProviderVersionRow.organization_id == organization_id,
            ProviderVersionRow.gpg_key_id == key_id,
            ProviderVersionRow.refused_at.is_(None),
        )
        .order_by(ProviderRow.namespace, ProviderRow.type, ProviderVersionRow.id)
    )
    return [
        (ProviderAddress(namespace, type), version) for namespace, type, version in await session.execute(query)
    ]


async def platforms(
    session: AsyncSession, organization_id: UUID, version_ids: Iterable[UUID]
) -> list[ProviderPlatformRow]:
    """List the packages of some releases, in order of platform."""
    query = select(ProviderPlatformRow).where(
        ProviderPlatformRow.organization_id == organization_id,
        ProviderPlatformRow.provider_version_id.in_(version_ids),
    )
    return list(await session.scalars(query.order_by(ProviderPlatformRow.os, ProviderPlatformRow.arch)))


async def good_key(session: AsyncSession, organization_id: UUID, key_id: UUID) -> GpgKeyRow | None:
    """Read the key that signed a release; None if it was revoked since."""
    query = select(GpgKeyRow).where(
        GpgKeyRow.organization_id == organization_id, GpgKeyRow.id == key_id, GpgKeyRow.revoked_at.is_(None)
    )
    return await session.scalar(query)


async def revoked_keys(session: AsyncSession, organization_id: UUID, ids: Iterable[UUID]) -> dict[UUID, GpgKeyRow]:
    """Read those of some keys that were revoked."""
    query = select(GpgKeyRow).where(
        GpgKeyRow.organization_id == organization_id, GpgKeyRow.id.in_(set(ids)), GpgKeyRow.revoked_at.is_not(None)
    )
    return {row.id: row for row in await session.scalars(query)}


async def page(
    session: AsyncSession, organization_id: UUID, *, words: Iterable[str], after: UUID | None, limit: int
) -> list[ProviderRow]:
    """List providers in order of first publication, beginning behind the given id.

    Each word is the beginning of one in the address. No index serves that, and there are not so many providers.
    """
    query = select(ProviderRow).where(ProviderRow.organization_id == organization_id)
    for word in words:
        begins = [
            condition
            for column in (ProviderRow.namespace, ProviderRow.type)
            for condition in (column.startswith(word), column.contains(f"-{word}"))
        ]
        query = query.where(or_(*begins))
    if after is not None:
        query = query.where(ProviderRow.id > after)
    return list(await session.scalars(query.order_by(ProviderRow.id).limit(limit)))


async def page_with_latest(
    session: AsyncSession, organization_id: UUID, *, namespace: str | None, offset: int, limit: int
) -> Sequence[tuple[ProviderRow, ProviderVersionRow]]:
    """List providers that offer a version, with their latest, in order of first publication."""
    query = select(ProviderRow).where(ProviderRow.organization_id == organization_id)
    if namespace is not None:
        query = query.where(ProviderRow.namespace == namespace)
    return await of_latest(session, organization_id, query, PROVIDERS, offset=offset, limit=limit)


def _vouched(query: Releases, organization_id: UUID, provider_id: UUID) -> Releases:
    return _with_key(query, organization_id, provider_id).where(
        ProviderVersionRow.refused_at.is_(None), GpgKeyRow.revoked_at.is_(None)
    )


def _with_key(query: Releases, organization_id: UUID, provider_id: UUID) -> Releases:
    return query.join(
        GpgKeyRow,
        (GpgKeyRow.organization_id == ProviderVersionRow.organization_id)
        & (GpgKeyRow.id == ProviderVersionRow.gpg_key_id),
    ).where(
        ProviderVersionRow.organization_id == organization_id,
        ProviderVersionRow.provider_id == provider_id,
    )


def _there(row: ProviderRow | None, address: ProviderAddress) -> ProviderRow:
    if row is None:
        raise ProviderNotFound("there is no such provider", provider=str(address))
    return row


def _of_address(organization_id: UUID, address: ProviderAddress) -> Select[ProviderRow]:
    return select(ProviderRow).where(
        ProviderRow.organization_id == organization_id,
        ProviderRow.namespace == address.namespace,
        ProviderRow.type == address.type,
    )
