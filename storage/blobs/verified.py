"""Bytes on their way to a store that is far away, and back: held to the hash that is their name."""

import hashlib
import io
import re
from typing import Final

from urllib3 import BaseHTTPResponse

from domain.errors import BlobDamaged
from storage.blobs.store import Received

PIECE: Final = 1024 * 1024
_SPAN: Final = re.compile(r"bytes 0-(\d+)/(\d+)")


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
            raise BlobDamaged("the bytes changed on this server's disk while they waited; send them again")
        return piece


class VerifiedBody:
    """What an S3 server answers when it is asked for a blob or a part of one."""

    def __init__(self, response: BaseHTTPResponse, sha256: str) -> None:
        """Take an answer whose body nobody has read yet."""
        span = response.headers.get("Content-Range")
        part = span and _SPAN.fullmatch(span)
        self._is_whole = span is None or (part is not None and int(part[1]) + 1 == int(part[2]))
        self._response = response
        self._sha256 = sha256
        self._digest = hashlib.sha256()

    def read(self) -> bytes:
        """Read up to PIECE bytes, none at the end. It waits for the server.

        Raises:
            urllib3.exceptions.HTTPError: the answer broke off.
        """
        piece = self._response.read(PIECE)
        self._digest.update(piece)
        return piece

    def check(self) -> None:
        """Hold what was read to the blob's name, where it was the whole of it: of a part nobody can tell.

        Raises:
            BlobDamaged: it is something else.
        """
        if self._is_whole and self._digest.hexdigest() != self._sha256:
            raise BlobDamaged(
                "the store gave other bytes than were put in; an operator has to restore them", sha256=self._sha256
            )
