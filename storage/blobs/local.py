"""Blobs in a local folder: for one machine, or a shared file system that renames atomically."""

import asyncio
import io
import os
import time
from collections.abc import AsyncIterable, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

import structlog

from domain.errors import BlobDamaged, BlobNotFound, Unavailable
from domain.outages import Outage
from storage.blobs.disk import disk_is_away, on_disk
from storage.blobs.incoming import Incoming
from storage.blobs.store import MARK, Received, key_of
from storage.blobs.verified import VerifiedBody

T = TypeVar("T")
State = tuple[int, int, int, int, int]
"""Of a file: which it is, its size, and when it was written to."""
SETTLES_NS: Final = 1_000_000_000
"""How old a file's last change must be: times are coarse, and one just now may hide another."""
MOST_NOTED: Final = 10_000
"""Files of which is known that they are what their names say; those noted first are forgotten."""
log = structlog.get_logger(__name__)


class LocalBlobStore:
    """A folder of files named by their hash, each written aside and renamed when it is whole and on disk.

    A file is held to its name the first time that all of it is read, and again once the system says that somebody
    wrote to it or put another in its place: hashing each time would cost a fifth of a download's speed. What a
    disk changes by itself, a check of the release finds.
    """

    def __init__(self, folder: Path) -> None:
        """Take the folder, which is made with mode 0700 if it is missing; clear what killed writers left."""
        self._kept = folder / "sha256"
        self._mark = folder / MARK
        for path in (folder, self._kept):
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._unreadable = Outage(log, f"blob store, reading {folder}")
        self._unwritable = Outage(log, f"blob store, writing {folder}")
        self._incoming = Incoming(folder / "incoming", self._unwritable)
        self._unchanged: dict[str, State] = {}

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
        with await self._part(sha256, start=start, stop=stop) as part:
            known = self._unchanged.get(sha256) == part.state
            body = VerifiedBody(part.read, sha256, is_whole=part.is_whole and not known)
            async for piece in body.pieces(lambda: self._next(sha256, body)):
                yield piece
            if part.is_whole and not known and part.is_settled:
                self._note_unchanged(sha256, part.state)

    async def check(self, sha256: str) -> bool:
        """See BlobStore."""
        with await self._part(sha256) as part:
            known = self._unchanged.get(sha256) == part.state
        if not known:
            async for _ in self.open(sha256):
                pass
        return True

    async def size(self, sha256: str) -> int | None:
        """See BlobStore."""
        found = await self._look_at(sha256, Path.stat)
        return None if found is None else found.st_size

    async def delete(self, sha256: str) -> None:
        """See BlobStore."""
        try:
            await self._there(Path.unlink, self._path(sha256))
        except OSError as error:
            raise disk_is_away(self._unwritable, error) from error

    async def address(self, sha256: str, *, valid: timedelta) -> str | None:  # noqa: ARG002  it has none to give
        """See BlobStore."""
        self._path(sha256)
        return None

    async def read_mark(self) -> str | None:
        """See BlobStore."""
        try:
            found = await self._there(partial(Path.read_text, errors="replace"), self._mark)
        except OSError as error:
            raise disk_is_away(self._unreadable, error) from error
        return found and found.strip()

    async def write_mark(self, mark: str) -> None:
        """See BlobStore."""
        async with self.receive(_pieces(mark), limit=len(mark)) as received:
            await on_disk(self._unwritable, _keep, received.path, self._mark)

    async def _part(self, sha256: str, *, start: int = 0, stop: int | None = None) -> "_Part":
        part = await self._look_at(sha256, partial(_Part, start=start, stop=stop))
        if part is None:
            raise BlobNotFound("the store has no such blob", sha256=sha256)
        return part

    async def _next(self, sha256: str, body: VerifiedBody) -> bytes:
        try:
            piece = await asyncio.to_thread(body.read)
        except OSError as error:
            raise await self._unread(sha256, error) from error
        self._unreadable.ended()
        return piece

    async def _look_at(self, sha256: str, look: Callable[[Path], T]) -> T | None:
        """Look at a blob's file; None where there is none."""
        path = self._path(sha256)
        try:
            return await self._there(look, path)
        except OSError as error:
            raise await self._unread(sha256, error) from error

    async def _unread(self, sha256: str, error: OSError) -> Unavailable:
        """Say whose fault it is that a blob can't be read: its own, where the folder of all of them can be."""
        try:
            await asyncio.to_thread(os.listdir, self._kept)
        except OSError:
            return disk_is_away(self._unreadable, error)
        log.error("blob_damaged", sha256=sha256, reason=error.strerror)
        return BlobDamaged(
            f"the store can't read this blob ({error.strerror}); an operator has to restore it",
            found_sha256=None,
            sha256=sha256,
        )

    def _note_unchanged(self, sha256: str, state: State) -> None:
        self._unchanged.pop(sha256, None)
        self._unchanged[sha256] = state
        if len(self._unchanged) > MOST_NOTED:
            del self._unchanged[next(iter(self._unchanged))]

    def _path(self, sha256: str) -> Path:
        return self._kept.parent / key_of(sha256)

    async def _there(self, work: Callable[[Path], T], path: Path) -> T | None:
        """Do work with a blob's file; None where there is no such blob and the store's folder is there."""
        try:
            return await asyncio.to_thread(work, path)
        except FileNotFoundError:
            if self._kept.exists():
                return None
            raise


class _Part(io.BufferedReader):
    """The bytes of a file from start up to stop."""

    def __init__(self, path: Path, *, start: int, stop: int | None) -> None:
        super().__init__(io.FileIO(path))
        there = os.fstat(self.fileno())
        size = there.st_size
        self.is_whole = start == 0 and (stop is None or stop >= size)
        self.state: State = (there.st_dev, there.st_ino, size, there.st_mtime_ns, there.st_ctime_ns)
        self.is_settled = time.time_ns() - there.st_ctime_ns > SETTLES_NS
        self._left = max(0, (size if stop is None else min(stop, size)) - self.seek(start))

    def read(self, size: int | None = -1, /) -> bytes:
        piece = super().read(self._left if size is None or size < 0 else min(size, self._left))
        self._left -= len(piece)
        return piece


async def _pieces(text: str) -> AsyncIterator[bytes]:
    yield text.encode()


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
