"""Bytes on their way to a store, and back: held to the hash that is their name."""

import hashlib
import io
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

import structlog

from domain.errors import BlobDamaged
from storage.blobs.store import Received

PIECE: Final = 1024 * 1024
log = structlog.get_logger(__name__)


class VerifiedFile(io.BufferedReader):
    """A received file that does not give its last bytes unless all of them are what was received."""

    def __init__(self, received: Received) -> None:
        """Open the file.

        Raises:
            OSError: it can't be opened.
        """
        super().__init__(io.FileIO(received.path))
        self._sha256 = received.sha256
        self._left = received.size
        self._digest = hashlib.sha256()

    def read(self, size: int | None = -1, /) -> bytes:
        """Read as any file does.

        Raises:
            BlobDamaged: with the last byte, the bytes are others than came in.
        """
        piece = super().read(size)
        self._digest.update(piece)
        self._left -= len(piece)
        if self._left <= 0 and self._digest.hexdigest() != self._sha256:
            raise BlobDamaged(
                "the bytes changed on this server's disk while they waited; send them again",
                found_sha256=self._digest.hexdigest(),
                sha256=self._sha256,
            )
        return piece


class VerifiedBody:
    """A blob, or a part of one, as a store gives it."""

    def __init__(self, read: Callable[[int], bytes], sha256: str, *, is_whole: bool) -> None:
        """Take what gives up to so many of its bytes, none at the end, and whether that is all of the blob."""
        self._read = read
        self._is_whole = is_whole
        self._sha256 = sha256
        self._digest = hashlib.sha256()

    def read(self) -> bytes:
        """Read up to PIECE bytes, none at the end. It waits for the store, and raises what its reading does."""
        piece = self._read(PIECE)
        if self._is_whole:
            self._digest.update(piece)
        return piece

    async def pieces(self, read: Callable[[], Awaitable[bytes]]) -> AsyncIterator[bytes]:
        """Give the pieces, the last of a whole blob not before all of it is what it should be.

        Args:
            read: calls this one's `read` where it may wait.

        Raises:
            BlobDamaged: it is something else. Of a part nobody can tell.
        """
        held = b""
        while piece := await read():
            if held:
                yield held
            held = piece
        found = self._digest.hexdigest()
        if self._is_whole and found != self._sha256:
            log.error("blob_damaged", sha256=self._sha256, found_sha256=found)
            raise BlobDamaged(
                "the store gave other bytes than were put in; an operator has to restore them",
                found_sha256=found,
                sha256=self._sha256,
            )
        if held:
            yield held
