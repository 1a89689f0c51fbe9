"""What a store of blobs does. Every kind of store passes tests/storage/blobs/contract.py."""

from collections.abc import AsyncIterable, AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final, Protocol

from domain.blobs import BlobProblem
from domain.errors import BlobDamaged, BlobNotFound

MARK: Final = "groundwork-store"
"""What the file or object with a store's mark is called; no blob is called so."""
DIGITS: Final = frozenset("0123456789abcdef")


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
            BlobDamaged: these are not the bytes that were put in; of a whole blob, before its last piece. Or this
                blob alone can't be read.
            Unavailable: the store gives none now; also in the middle.
        """
        ...

    async def check(self, sha256: str) -> bool:
        """Hold a blob to its name before a part of it goes out, or something is said of it.

        Returns:
            Whether it was: not by a store that would have to be read over the network for that.

        Raises:
            BlobNotFound, BlobDamaged, Unavailable: see open.
        """
        ...

    async def size(self, sha256: str) -> int | None:
        """Tell how many bytes a blob has; None if there is none.

        Raises:
            BlobDamaged: this blob alone can't be looked at.
            Unavailable: the store can't tell now.
        """
        ...

    async def delete(self, sha256: str) -> None:
        """Forget a blob; harmless if there is none.

        Raises:
            Unavailable: the store can't now.
        """
        ...

    async def address(self, sha256: str, *, valid: timedelta) -> str | None:
        """Give an address at which anybody may fetch a blob for a while, without asking whether it is there.

        Returns:
            None where the bytes go through this server: always, for a store that has no such addresses.
        """
        ...

    async def read_mark(self) -> str | None:
        """Read what tells this store from all others; None where nothing was written.

        Raises:
            Unavailable: the store can't tell now.
        """
        ...

    async def write_mark(self, mark: str) -> None:
        """Write what tells this store from all others, beside its blobs.

        Raises:
            Unavailable: the store takes none now.
        """
        ...


async def problem_of(store: BlobStore, sha256: str) -> BlobProblem | None:
    """Read a blob, every byte of it, and tell what is wrong with it; None where nothing is.

    Raises:
        Unavailable: the store gives none now.
    """
    try:
        async for _ in store.open(sha256):
            pass
    except BlobNotFound:
        return BlobProblem.LOST
    except BlobDamaged:
        return BlobProblem.DAMAGED
    return None


def key_of(sha256: str) -> str:
    """Give what a blob's file or object is called; the same in every store, so that blobs move by a plain copy.

    Raises:
        BlobNotFound: this is not a blob's name.
    """
    if len(sha256) != 64 or not DIGITS.issuperset(sha256):  # noqa: PLR2004  digits of a SHA-256
        raise BlobNotFound("this is not a blob's name")
    return f"sha256/{sha256[:2]}/{sha256}"
