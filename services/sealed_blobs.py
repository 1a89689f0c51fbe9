"""Bytes of runs that are kept in the blob store: sealed first, so that the store never sees a state or a plan."""

from collections.abc import AsyncIterator
from typing import Final
from uuid import UUID

from domain.scope import Scope
from services.secrets import Envelope, SealedKind
from storage.blobs import index
from storage.blobs.store import BlobStore
from storage.database import Database

LARGEST: Final = 512 * 1024 * 1024
"""Bytes of the largest state or plan that is kept."""


class SealedBlobs:
    """Keeps and reads sealed bytes. No transaction is open meanwhile: the row that names a blob comes after."""

    def __init__(self, database: Database, blobs: BlobStore, envelope: Envelope) -> None:
        """Take where bytes are noted, where they go, and what seals them."""
        self._database = database
        self._blobs = blobs
        self._envelope = envelope

    async def keep(self, scope: Scope, kind: SealedKind, thing: UUID, data: bytes) -> str:
        """Seal, store and note bytes; the same kind and id open them again. Gives the blob's name."""
        sealed = await self._envelope.seal(scope, kind, thing, data)
        name, size = await self._blobs.put(_pieces(sealed), limit=LARGEST)
        async with self._database.transaction(scope) as session:
            await index.add(session, {name: size})
        return name

    async def read(self, scope: Scope, kind: SealedKind, thing: UUID, blob: str) -> bytes:
        """Read and open bytes.

        Raises:
            SealBroken: they were changed, or are another thing's.
        """
        sealed = b"".join([piece async for piece in self._blobs.open(blob)])
        return await self._envelope.open(scope, kind, thing, sealed)

    async def read_open(self, blob: str) -> bytes:
        """Read bytes that are stored as they are: the archive of a module."""
        return b"".join([piece async for piece in self._blobs.open(blob)])


async def _pieces(data: bytes) -> AsyncIterator[bytes]:
    size = 1024 * 1024
    for start in range(0, len(data), size):
        yield data[start : start + size]
