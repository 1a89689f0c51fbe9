"""Bytes that came in and are not kept yet: files of a folder, hashed as they are written."""

import asyncio
import fcntl
import hashlib
import os
import tempfile
from collections.abc import AsyncIterable, AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import structlog

from domain.errors import BlobTooLarge
from domain.outages import Outage
from storage.blobs.disk import on_disk
from storage.blobs.store import Received

log = structlog.get_logger(__name__)


class Incoming:
    """A folder of files that live only as long as somebody looks at them, whatever becomes of their writers."""

    def __init__(self, folder: Path, outage: Outage) -> None:
        """Take the folder, which is made with mode 0700 if it is missing; clear what killed writers left.

        Args:
            folder: of the files; several processes may share it.
            outage: of the folder's disk. It begins here, and ends where bytes are kept: a full disk still lets
                files be made.
        """
        self._folder = folder
        self._outage = outage
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._clear()

    @asynccontextmanager
    async def receive(self, data: AsyncIterable[bytes], *, limit: int) -> AsyncIterator[Received]:
        """See BlobStore."""
        file, path = await on_disk(self._outage, self._new_file)
        try:
            digest, size = hashlib.sha256(), 0
            async for piece in data:
                size += len(piece)
                if size > limit:
                    raise BlobTooLarge(f"more than {limit} bytes came in, which is the most that is taken")
                await on_disk(self._outage, _write, file, digest, piece)
            await on_disk(self._outage, file.flush)
            yield Received(path, digest.hexdigest(), size)
        finally:
            await asyncio.to_thread(_discard, file, path)

    def _new_file(self) -> tuple[BinaryIO, Path]:
        while True:
            descriptor, name = tempfile.mkstemp(dir=self._folder)
            # The lock says that its writer lives; it ends with the process, however that ends.
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if os.fstat(descriptor).st_nlink:
                return os.fdopen(descriptor, "wb"), Path(name)
            os.close(descriptor)  # somebody cleared it before it was locked

    def _clear(self) -> None:
        for path in self._folder.iterdir():
            try:
                with path.open("r+b") as file:  # NFS locks nothing for one writer that is open for reading
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    path.unlink()
            except (FileNotFoundError, BlockingIOError):
                pass  # kept meanwhile, or written to
            except OSError as error:  # it takes room and does no harm: no reason not to start
                log.warning("incoming_not_cleared", path=str(path), reason=error.strerror)


def _write(file: BinaryIO, digest: "hashlib._Hash", piece: bytes) -> None:
    digest.update(piece)
    file.write(piece)


def _discard(file: BinaryIO, path: Path) -> None:
    path.unlink(missing_ok=True)  # before the lock is gone, so that nobody clears it meanwhile
    with suppress(OSError):  # a disk that took not all of it takes no more now, and nobody wants it
        file.close()
