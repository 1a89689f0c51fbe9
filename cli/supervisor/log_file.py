"""The log of a supervisor in the background: for its user's eyes alone, and bounded."""

import os
from pathlib import Path
from typing import Final

LOG_BYTES: Final = 10 * 1024 * 1024
"""After these the log begins anew; one earlier log is kept beside it."""


class LogFile:
    """A file that processes append to, renamed to `.1` when it is full."""

    def __init__(self, path: Path, *, limit: int = LOG_BYTES) -> None:
        """Take where it is; `open` makes it."""
        self._path = path
        self._limit = limit

    def open(self) -> int:
        """Give a descriptor to append to; an earlier, full log is put aside first."""
        if self._path.exists() and self._path.stat().st_size > self._limit:
            self._path.replace(self._path.with_name(f"{self._path.name}.1"))
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.fchmod(descriptor, 0o600)  # one that was there may have been open to others
        return descriptor

    def is_written_by(self, descriptor: int) -> bool:
        """Tell whether a descriptor leads to this file."""
        return self._path.exists() and os.path.samestat(os.fstat(descriptor), self._path.stat())

    def make_room(self, *descriptors: int) -> None:
        """Let descriptors that lead to a full log lead to a new one."""
        if os.fstat(descriptors[0]).st_size > self._limit:
            fresh = self.open()
            for descriptor in descriptors:
                os.dup2(fresh, descriptor)
            os.close(fresh)
