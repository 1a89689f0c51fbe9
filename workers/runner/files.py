"""Reads files that a module's code could have put something else in the place of."""

import errno
import os
import stat
from pathlib import Path

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
# A pipe in the place of a file must not make us wait for somebody who writes to it.
_READ_FILE = _READ | os.O_NONBLOCK


def read_regular(root: Path, name: str, *, offset: int = 0, count: int = -1) -> bytes:
    """Read a file of a step's folder, or a part of it; never what a link in or below the folder points to.

    The code of a module may write in the folder and nowhere else; the runner may read more than that code may.

    Args:
        root: the folder, whose own path no module can change.
        name: relative to the folder.
        offset: where to begin.
        count: how many bytes at most; all of them if negative.

    Raises:
        OSError: it is not there, is a link or below one, or is no regular file.
    """
    *folders, last = Path(name).parts
    folder = os.open(root, _READ | os.O_DIRECTORY)
    try:
        for part in folders:
            inner = os.open(part, _READ | os.O_DIRECTORY, dir_fd=folder)
            os.close(folder)
            folder = inner
        handle = os.open(last, _READ_FILE, dir_fd=folder)
    finally:
        os.close(folder)
    try:
        _check_regular(handle, name)
        with open(handle, "rb", closefd=False) as file:
            file.seek(offset)
            return file.read(count)
    finally:
        os.close(handle)


def _check_regular(handle: int, name: str) -> None:
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        raise OSError(errno.EINVAL, "not a regular file", name)
