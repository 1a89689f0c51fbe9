"""Files of the registry on their way out, behind addresses that carry their own permission."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime

import structlog

from domain.registry.capability import WINDOW, Capabilities, window_of
from domain.registry.errors import FileLost, FileNotFound
from storage.blobs.store import BlobStore

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Download:
    """A file that may be read; its name is the hash of its bytes."""

    sha256: str
    size: int
    _store: BlobStore

    def read(self, *, start: int = 0, stop: int | None = None) -> AsyncIterator[bytes]:
        """Give the bytes from start up to stop, in pieces."""
        return self._store.open(self.sha256, start=start, stop=stop)

    async def check(self) -> bool:
        """Hold the file to its hash before a part of it goes out; tell whether the store does that.

        Raises:
            BlobDamaged: these are other bytes. BlobNotFound, Unavailable.
        """
        return await self._store.check(self.sha256)

    async def address(self) -> str | None:
        """Give an address to fetch the file from in the next minutes; None where only this server gives it."""
        return await self._store.address(self.sha256, valid=WINDOW)


class Downloads:
    """Gives out download addresses and opens what they name: the address is the key, whoever comes with it."""

    def __init__(self, store: BlobStore, capabilities: Capabilities) -> None:
        """Take what the use cases need, made once at start-up."""
        self._store = store
        self._capabilities = capabilities

    def capability(self, sha256: str, *, now: datetime) -> str:
        """Make what opens a file until the end of the next window; the same for everybody in a window."""
        return self._capabilities.issue(sha256, window=window_of(now))

    async def open(self, capability: str, sha256: str, *, now: datetime) -> Download:
        """Open a file.

        Raises:
            FileNotFound: the capability was not given out for it, or its time is over.
            FileLost: the blob store is there, and has not what was published.
            Unavailable: the blob store is away.
        """
        if not self._capabilities.allows(capability, sha256, now=now):
            raise FileNotFound(
                "this download address is not valid (any more); run the command again for a new one"
            )
        size = await self._store.size(sha256)
        if size is None:
            log.error("blob_lost", sha256=sha256)
            raise FileLost(
                "the bytes of this file are gone from the blob store; have an operator restore them, "
                "or publish the same bytes again",
                sha256=sha256,
            )
        return Download(sha256, size, self._store)
