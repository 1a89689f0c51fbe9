"""One stream of lines out of what many children print."""

import asyncio
import contextlib
import os
import sys
from typing import Final

from cli.output import colours_wanted
from cli.supervisor.log_file import LogFile

COLOURS: Final = ("36", "33", "32", "35", "34")
WIDTH: Final = 10
LONGEST_LINE: Final = 64 * 1024


class LogLines:
    """Prints lines, each with the name of who wrote it before it; names have colours on a terminal."""

    def __init__(self, file: LogFile | None = None) -> None:
        """Look once whether standard output takes colours.

        Args:
            file: where standard output and standard error lead to, if they lead to a file that is to be bounded.
        """
        self._file = file
        self._coloured = colours_wanted()
        self._colours: dict[str, str] = {}
        self._pipes: list[asyncio.BaseTransport] = []
        self._ends: list[int] = []

    def say(self, name: str, line: str) -> None:
        """Print a line in somebody's name."""
        prefix = f"{name:<{WIDTH}} |"
        if self._coloured:
            colour = self._colours.setdefault(name, COLOURS[len(self._colours) % len(COLOURS)])
            prefix = f"\x1b[{colour}m{prefix}\x1b[0m"
        with contextlib.suppress(BrokenPipeError):  # nobody reads any more, and the servers go on
            sys.stdout.write(f"{prefix} {line}\n")
            sys.stdout.flush()
        if self._file is not None:
            self._file.make_room(1, 2)

    async def pipe(self, name: str) -> int:
        """Give a file descriptor that children write to in this name. It lives as long as this object."""
        reader, writer = os.pipe()
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: _Lines(self, name), os.fdopen(reader, "rb", buffering=0)
        )
        self._pipes.append(transport)
        self._ends.append(writer)
        return writer

    def close(self) -> None:
        """Close our ends; children that still write have lost their reader."""
        for end in self._ends:
            os.close(end)
        for transport in self._pipes:
            transport.close()
        self._ends, self._pipes = [], []


class _Lines(asyncio.Protocol):
    def __init__(self, lines: LogLines, name: str) -> None:
        self._lines = lines
        self._name = name
        self._rest = b""

    def data_received(self, data: bytes) -> None:
        *whole, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > LONGEST_LINE:
            whole, self._rest = [*whole, self._rest], b""
        for line in whole:
            self._lines.say(self._name, line.decode(errors="replace"))
