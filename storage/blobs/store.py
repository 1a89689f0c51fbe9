"""What a store of blobs does. Every kind of store passes tests/storage/blobs/contract.py."""

from collections.abc import AsyncIterable, AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Received:
    """Bytes that came in and are not kept yet: on this machine's disk, where they can be looked at."""

    path: Path
    sha256: str
    size: int


class BlobStore(Protocol):
    """Keeps bytes under their SHA-256, as they are. What exists is decided by rows, never by the store.

    A name is 64 hexadecimal digits made here, so no name or path of a user's ever reaches the store.
    """

    def receive(self, data: AsyncIterable[bytes], *, limit: int) -> AbstractAsyncContextManager[Received]:
        """Take bytes in, hashed as they come; they are gone at the end of the context unless kept.

        Raises:
            BlobTooLarge: they are more than the limit, noticed at the first byte too many.
            Unavailable: the store takes none now.
        """
        ...

    async def keep(self, received: Received) -> None:
        """Make received bytes a blob, whole and durable or not at all; harmless if there is one.

        Raises:
            Unavailable: the store takes none now.
        """
        ...

    async def put(self, data: AsyncIterable[bytes], *, limit: int) -> tuple[str, int]:
        """Receive and keep; give the blob's name and size.

        Raises:
            BlobTooLarge: see receive.
        """
        ...

    def open(self, sha256: str, *, start: int = 0, stop: int | None = None) -> AsyncIterator[bytes]:
        """Give the bytes from start up to stop, in pieces.

        Raises:
            BlobNotFound: at the first piece.
        """
        ...

    async def size(self, sha256: str) -> int | None:
        """Tell how many bytes a blob has; None if there is none."""
        ...

    async def delete(self, sha256: str) -> None:
        """Forget a blob; harmless if there is none."""
        ...
