"""Unpacking in pieces of bounded size, however much a few packed bytes stand for."""

import zlib
from collections.abc import Iterator

from domain.registry.errors import ArchiveUnreadable
from integrations.archives.members import CHUNK


class Inflater:
    """One packed stream. `eof` tells that its end was reached, `unused` what came behind that."""

    def __init__(self, window: int) -> None:
        """Take zlib's word for the kind of stream."""
        self._inflate = zlib.decompressobj(window)

    @property
    def eof(self) -> bool:
        """Tell whether the stream has ended."""
        return self._inflate.eof

    @property
    def unused(self) -> bytes:
        """Give what was fed beyond the stream's end."""
        return self._inflate.unused_data

    def feed(self, packed: bytes) -> Iterator[bytes]:
        """Give what these bytes unpack to, in pieces.

        Raises:
            ArchiveUnreadable: they are no such stream.
        """
        while True:
            try:
                piece = self._inflate.decompress(packed, CHUNK)
            except zlib.error:
                raise ArchiveUnreadable("the archive can't be unpacked; send it whole") from None
            if piece:
                yield piece
            packed = self._inflate.unconsumed_tail
            # A full piece may leave more inside although all input is taken: ask again.
            if self._inflate.eof or (not packed and len(piece) < CHUNK):
                return
