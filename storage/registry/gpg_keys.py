"""Queries on signing keys."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.registry.errors import GpgKeyNotFound
from storage.database import insert_unless_there, locked
from storage.registry.tables import GpgKeyRow, ProviderVersionRow


async def of_namespace(session: AsyncSession, organization_id: UUID, namespace: str) -> list[GpgKeyRow]:
    """List a namespace's keys in order of adding, revoked ones included."""
    query = select(GpgKeyRow).where(GpgKeyRow.organization_id == organization_id, GpgKeyRow.namespace == namespace)
    return list(await session.scalars(query.order_by(GpgKeyRow.id)))


async def add_or_lock(session: AsyncSession, key: GpgKeyRow) -> tuple[GpgKeyRow, bool]:
    """Store a key unless its fingerprint is there; give the row, locked, and whether it is new.

    Raises:
        GpgKeyNotFound: somebody removed it at the same moment.
    """
    is_new = await insert_unless_there(session, key)
    found = await find_by_fingerprint(session, key.organization_id, key.namespace, key.fingerprint)
    if found is None:
        raise GpgKeyNotFound("the key was removed while it was added; add it again")
    return found, is_new


async def find_by_fingerprint(
    session: AsyncSession, organization_id: UUID, namespace: str, fingerprint: str
) -> GpgKeyRow | None:
    """Read one key by its full fingerprint, and let nobody change it until the transaction ends."""
    query = select(GpgKeyRow).where(
        GpgKeyRow.organization_id == organization_id,
        GpgKeyRow.namespace == namespace,
        GpgKeyRow.fingerprint == fingerprint,
    )
    return await session.scalar(locked(query))


async def get(session: AsyncSession, organization_id: UUID, namespace: str, key_id: UUID) -> GpgKeyRow:
    """Read one key, and let nobody change it until the transaction ends.

    Raises:
        GpgKeyNotFound: unknown, another namespace's, or another organization's.
    """
    query = select(GpgKeyRow).where(
        GpgKeyRow.organization_id == organization_id,
        GpgKeyRow.namespace == namespace,
        GpgKeyRow.id == key_id,
    )
    row = await session.scalar(locked(query))
    if row is None:
        raise GpgKeyNotFound("there is no such key in this namespace", key_id=str(key_id))
    return row


async def has_signed(session: AsyncSession, organization_id: UUID, key_id: UUID) -> bool:
    """Tell whether a release was published with this key's signature."""
    query = select(ProviderVersionRow.id).where(
        ProviderVersionRow.organization_id == organization_id, ProviderVersionRow.gpg_key_id == key_id
    )
    return await session.scalar(query.limit(1)) is not None
