"""Blobs in a local folder: for one machine, or a shared file system that renames atomically."""

import asyncio
import os
from collections.abc import AsyncIterable, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO, Final, TypeVar

import structlog

from domain.errors import BlobNotFound
from domain.outages import Outage
from storage.blobs.disk import disk_is_away, on_disk
from storage.blobs.incoming import Incoming
from storage.blobs.store import Received, key_of

T = TypeVar("T")
PIECE: Final = 1024 * 1024
log = structlog.get_logger(__name__)


class LocalBlobStore:
    """A folder of files named by their hash, each written aside and renamed when it is whole and on disk."""

    def __init__(self, folder: Path) -> None:
        """Take the folder, which is made with mode 0700 if it is missing; clear what killed writers left."""
        self._kept = folder / "sha256"
        for path in (folder, self._kept):
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._unreadable = Outage(log, f"blob store, reading {folder}")
        self._unwritable = Outage(log, f"blob store, writing {folder}")
        self._incoming = Incoming(folder / "incoming", self._unwritable)

    def receive(self, data: AsyncIterable[bytes], *, limit: int) -> AbstractAsyncContextManager[Received]:
        """See BlobStore."""
        return self._incoming.receive(data, limit=limit)

    async def keep(self, received: Received) -> None:
        """See BlobStore."""
        await on_disk(self._unwritable, _keep, received.path, self._path(received.sha256))
        self._unwritable.ended()  # not before: a full disk still lets files be made

    async def put(self, data: AsyncIterable[bytes], *, limit: int) -> tuple[str, int]:
        """See BlobStore."""
        async with self.receive(data, limit=limit) as received:
            await self.keep(received)
            return received.sha256, received.size

    async def open(self, sha256: str, *, start: int = 0, stop: int | None = None) -> AsyncIterator[bytes]:
        """See BlobStore."""
        file = await self._there(self._unreadable, _reader, self._path(sha256))
        if file is None:
            raise BlobNotFound("the store has no such blob", sha256=sha256)
        with file:
            file.seek(start)
            left = stop - start if stop is not None else None
            while left is None or left > 0:
                piece = await on_disk(self._unreadable, file.read, PIECE if left is None else min(PIECE, left))
                self._unreadable.ended()
                if not piece:
                    return
                if left is not None:
                    left -= len(piece)
                yield piece

    async def size(self, sha256: str) -> int | None:
        """See BlobStore."""
        found = await self._there(self._unreadable, Path.stat, self._path(sha256))
        return None if found is None else found.st_size

    async def delete(self, sha256: str) -> None:
        """See BlobStore."""
        await self._there(self._unwritable, Path.unlink, self._path(sha256))

    async def address(self, sha256: str, *, valid: timedelta) -> str | None:  # noqa: ARG002  it has none to give
        """See BlobStore."""
        self._path(sha256)
        return None

    def _path(self, sha256: str) -> Path:
        return self._kept.parent / key_of(sha256)

    async def _there(self, outage: Outage, work: Callable[[Path], T], path: Path) -> T | None:
        """Do work with a blob's file; None where there is no such blob and the store's folder is there."""
        try:
            return await asyncio.to_thread(work, path)
        except OSError as error:
            if isinstance(error, FileNotFoundError) and self._kept.exists():
                return None
            raise disk_is_away(outage, error) from error


def _reader(path: Path) -> BinaryIO:
    return path.open("rb")


def _keep(source: Path, target: Path) -> None:
    _sync(source, os.O_RDWR)
    if not target.parent.exists():
        target.parent.mkdir(mode=0o700, exist_ok=True)
        _sync(target.parent.parent, os.O_RDONLY | os.O_DIRECTORY)
    source.replace(target)
    _sync(target.parent, os.O_RDONLY | os.O_DIRECTORY)


def _sync(path: Path, how: int) -> None:
    descriptor = os.open(path, how)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
