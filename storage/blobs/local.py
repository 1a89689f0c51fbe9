"""Blobs in a local folder: for one machine, or a shared file system that renames atomically."""

import asyncio
import fcntl
import hashlib
import os
import tempfile
import time
from collections.abc import AsyncIterable, AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final, ParamSpec, TypeVar

import structlog

from domain.errors import BlobNotFound, BlobTooLarge, Unavailable
from domain.outages import Outage
from storage.blobs.store import Received

PIECE: Final = 1024 * 1024
STALE_SECONDS: Final = 60
DIGITS: Final = frozenset("0123456789abcdef")
P = ParamSpec("P")
T = TypeVar("T")
log = structlog.get_logger(__name__)


class LocalBlobStore:
    """A folder of files named by their hash, each written aside and renamed when it is whole and on disk."""

    def __init__(self, folder: Path) -> None:
        """Take the folder, which is made with mode 0700 if it is missing; clear what killed writers left."""
        self._incoming = folder / "incoming"
        self._kept = folder / "sha256"
        for path in (folder, self._incoming, self._kept):
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._unreadable = Outage(log, f"blob store, reading {folder}")
        self._unwritable = Outage(log, f"blob store, writing {folder}")
        self._clear()

    @asynccontextmanager
    async def receive(self, data: AsyncIterable[bytes], *, limit: int) -> AsyncIterator[Received]:
        """See BlobStore."""
        file, path = await _on_disk(self._unwritable, self._new_file)
        try:
            digest, size = hashlib.sha256(), 0
            async for piece in data:
                size += len(piece)
                if size > limit:
                    raise BlobTooLarge(f"more than {limit} bytes came in, which is the most that is taken")
                await _on_disk(self._unwritable, _write, file, digest, piece)
            await _on_disk(self._unwritable, _flush, file)
            yield Received(path, digest.hexdigest(), size)
        finally:
            await asyncio.to_thread(_discard, file, path)

    async def keep(self, received: Received) -> None:
        """See BlobStore."""
        await _on_disk(self._unwritable, _link, received.path, self._path(received.sha256))
        self._unwritable.ended()  # not before: a full disk still lets files be made

    async def put(self, data: AsyncIterable[bytes], *, limit: int) -> tuple[str, int]:
        """See BlobStore."""
        async with self.receive(data, limit=limit) as received:
            await self.keep(received)
            return received.sha256, received.size

    async def open(self, sha256: str, *, start: int = 0, stop: int | None = None) -> AsyncIterator[bytes]:
        """See BlobStore."""
        path = self._path(sha256)
        try:
            file = await asyncio.to_thread(path.open, "rb")
        except FileNotFoundError as error:
            if not self._kept.exists():
                raise _is_away(self._unreadable, error) from error
            raise BlobNotFound("the store has no such blob", sha256=sha256) from None
        except OSError as error:
            raise _is_away(self._unreadable, error) from error
        with file:
            file.seek(start)
            left = stop - start if stop is not None else None
            while left is None or left > 0:
                piece = await _on_disk(self._unreadable, file.read, PIECE if left is None else min(PIECE, left))
                self._unreadable.ended()
                if not piece:
                    return
                if left is not None:
                    left -= len(piece)
                yield piece

    async def size(self, sha256: str) -> int | None:
        """See BlobStore."""
        try:
            return (await asyncio.to_thread(self._path(sha256).stat)).st_size
        except FileNotFoundError:
            return None

    async def delete(self, sha256: str) -> None:
        """See BlobStore."""
        await asyncio.to_thread(self._path(sha256).unlink, missing_ok=True)

    def _path(self, sha256: str) -> Path:
        if len(sha256) != 64 or not DIGITS.issuperset(sha256):  # noqa: PLR2004  digits of a SHA-256
            raise BlobNotFound("this is not a blob's name")
        return self._kept / sha256[:2] / sha256

    def _new_file(self) -> tuple[BinaryIO, Path]:
        descriptor, name = tempfile.mkstemp(dir=self._incoming)
        # The lock says that its writer lives; it ends with the process, however that ends.
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        return os.fdopen(descriptor, "wb"), Path(name)

    def _clear(self) -> None:
        for path in self._incoming.iterdir():
            with (
                suppress(FileNotFoundError, BlockingIOError),
                path.open("rb") as file,
            ):  # kept meanwhile, or written to
                if time.time() - os.fstat(file.fileno()).st_mtime < STALE_SECONDS:
                    continue  # perhaps made a moment ago, and not locked yet
                fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink()


async def _on_disk(outage: Outage, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Do work that waits for the disk, off the event loop; a disk that is full or broken may do better later."""
    try:
        return await asyncio.to_thread(work, *args, **kwargs)
    except OSError as error:
        raise _is_away(outage, error) from error


def _is_away(outage: Outage, error: OSError) -> Unavailable:
    """Say what is wrong with the disk: whoever looks after it has to know, and where it is the log says."""
    outage.began(error)
    return Unavailable(
        f"the blob store does not work now ({error.strerror}); it goes on by itself once an operator has made "
        "room on its disk or brought its folder back (setting blobs.path)"
    )


def _write(file: BinaryIO, digest: "hashlib._Hash", piece: bytes) -> None:
    digest.update(piece)
    file.write(piece)


def _flush(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def _discard(file: BinaryIO, path: Path) -> None:
    path.unlink(missing_ok=True)  # before the lock is gone, so that nobody clears it meanwhile
    file.close()


def _link(source: Path, target: Path) -> None:
    if not target.parent.exists():
        target.parent.mkdir(mode=0o700, exist_ok=True)
        _sync_folder(target.parent.parent)
    source.replace(target)
    _sync_folder(target.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
