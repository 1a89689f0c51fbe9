"""Places in the log of a run, and pieces of it."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Self

from domain.provisioning.errors import LogPositionInvalid

WRITTEN: Final = re.compile(r"(\d{1,9}):(\d{1,15})")


@dataclass(frozen=True, slots=True, order=True)
class LogPosition:
    """Behind so many bytes of the log of a run's n-th step; the log of a run is its steps' logs in order."""

    step: int = 0
    offset: int = 0

    @classmethod
    def read(cls, text: str) -> Self:
        """Read a position as it is written, `<step>:<offset>`.

        Raises:
            LogPositionInvalid.
        """
        found = WRITTEN.fullmatch(text)
        if found is None:
            raise LogPositionInvalid("a position in a log is written <step>:<offset>")
        return cls(int(found[1]), int(found[2]))

    def __str__(self) -> str:
        """Write it, as the id of an event."""
        return f"{self.step}:{self.offset}"


@dataclass(frozen=True, slots=True)
class LogPiece:
    """Some bytes of a step's log, from an offset on."""

    step: int
    offset: int
    data: bytes

    @property
    def end(self) -> LogPosition:
        """Where it ends."""
        return LogPosition(self.step, self.offset + len(self.data))


def pieces_after(pieces: Iterable[LogPiece], position: LogPosition) -> list[LogPiece]:
    """Leave out what lies before a position, down to the byte. The pieces are in order."""
    left = []
    for piece in pieces:
        start = LogPosition(piece.step, piece.offset)
        if start >= position:
            left.append(piece)
        elif piece.end > position and piece.step == position.step:
            left.append(LogPiece(piece.step, position.offset, piece.data[position.offset - piece.offset :]))
    return left


class LineReader:
    """Cuts pieces into whole lines. What is not ended yet waits; a new step ends the line of the one before."""

    def __init__(self) -> None:
        """Begin without a line."""
        self._rest = b""
        self._end = LogPosition()

    @property
    def position(self) -> LogPosition:
        """Behind the last whole line that was given."""
        return LogPosition(self._end.step, self._end.offset - len(self._rest))

    def add(self, piece: LogPiece) -> list[bytes]:
        """Take a piece; give the lines that it ends."""
        lines = []
        if piece.step != self._end.step and self._rest:
            lines.append(self._rest)
            self._rest = b""
        *whole, self._rest = (self._rest + piece.data).split(b"\n")
        self._end = piece.end
        return lines + whole

    def finish(self) -> list[bytes]:
        """Give the line that never ended, if there is one."""
        rest, self._rest = self._rest, b""
        return [rest] if rest else []
