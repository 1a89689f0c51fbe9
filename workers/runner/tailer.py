"""Follows what a CLI writes, its log and its state, and has each piece kept as it comes."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from domain.deployments.errors import StateUnreadable
from domain.deployments.states import StateHead
from domain.redaction import Redactor
from workers.runner.files import read_regular
from workers.runner.keeping import wait_within

FLUSH_BYTES: Final = 64 * 1024
FLUSH_EVERY: Final = 0.2
_LOOK_EVERY: Final = 0.25
_LONGEST_LINE: Final = 1024 * 1024


class LogTail:
    """Redacts the log file piece by piece, gives each piece away, and each whole line to be understood.

    The file is the buffer: a slow or absent database never slows the CLI down.
    """

    def __init__(
        self,
        path: Path,
        redactor: Redactor,
        keep: Callable[[int, bytes], Awaitable[None]],
        on_line: Callable[[bytes], None],
    ) -> None:
        """Take the file, which need not be there yet; `keep` is given redacted bytes and their offset."""
        self._path = path
        self._redactor = redactor
        self._keep = keep
        self._on_line = on_line
        self._position = 0
        self._line = b""
        self.end = 0

    async def follow(self, ended: asyncio.Event) -> None:
        """Follow the file until it has ended and all of it was taken."""
        while True:
            is_last = ended.is_set()  # before reading: what was written before is there to be read
            count = await self._take()
            if count == FLUSH_BYTES:
                await asyncio.sleep(0)  # a loud CLI must not keep the lease from being renewed
                continue
            if is_last:
                break
            await wait_within(ended, FLUSH_EVERY)
        await self._pass(await asyncio.to_thread(self._redactor.finish))
        if self._line:
            self._on_line(self._line)

    async def _take(self) -> int:
        try:
            data = read_regular(self._path.parent, self._path.name, offset=self._position, count=FLUSH_BYTES)
        except FileNotFoundError:
            return 0
        self._position += len(data)
        if data:
            # Long secrets make it long work, and a lease has to be renewed meanwhile.
            await self._pass(await asyncio.to_thread(self._redactor.feed, data))
        return len(data)

    async def _pass(self, data: bytes) -> None:
        if not data:
            return
        *lines, rest = data.split(b"\n")
        for line in lines:
            self._on_line(self._line + line)
            self._line = b""
        self._line = (self._line + rest)[:_LONGEST_LINE]
        offset, self.end = self.end, self.end + len(data)
        await self._keep(offset, data)


class StateTail:
    """Looks at a state file and has every new version of it kept.

    The CLI writes the file in place, so what is no whole state yet is looked at again. What is none at the end is
    given to be kept all the same: whoever keeps it says what is wrong, and it is not lost in silence. What can't
    be read by then is an error, which says why.
    """

    def __init__(self, path: Path, keep: Callable[[bytes], Awaitable[None]]) -> None:
        """Take the file as it is: what it holds now was given, and is no news."""
        self._path = path
        self._keep = keep
        self._seen: tuple[int, int] | None = None
        self._digest = b""
        self.serial: int | None = None
        if (stamp := _stamp(path)) is not None:
            content = read_regular(path.parent, path.name)
            self._seen, self.serial = stamp, _serial(content)
            self._digest = hashlib.sha256(content).digest()

    async def follow(self, ended: asyncio.Event) -> None:
        """Follow the file until it has ended, and look once more.

        Raises:
            OSError: it can't be read, or not whole.
        """
        while not ended.is_set():
            await self._look(is_last=False)
            await wait_within(ended, _LOOK_EVERY)
        self._seen = None  # two writes within one tick of the file system's clock look like one
        await self._look(is_last=True)

    async def _look(self, *, is_last: bool) -> None:
        """Have the file kept if it is new, and whole unless it is looked at for the last time."""
        seen = _stamp(self._path)
        if seen in {None, self._seen}:
            return
        try:
            content = await asyncio.to_thread(read_regular, self._path.parent, self._path.name)
        except OSError:
            if is_last:
                raise
            return
        serial = await asyncio.to_thread(_serial, content)
        if serial is None and not (is_last and content):
            return
        digest = hashlib.sha256(content).digest()
        if digest != self._digest:
            self.serial = self.serial if serial is None else serial
            await self._keep(content)
        self._seen, self._digest = seen, digest


def _serial(content: bytes) -> int | None:
    """Tell the serial of a whole state."""
    try:
        return StateHead.read(content).serial
    except StateUnreadable:
        return None


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        found = path.lstat()
    except FileNotFoundError:
        return None
    return found.st_mtime_ns, found.st_size
