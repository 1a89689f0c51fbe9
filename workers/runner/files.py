"""Reads files that a module's code could have put something else in the place of."""

import errno
import os
import stat
from pathlib import Path
from typing import Final

LARGEST: Final = 256 * 1024 * 1024
"""Bytes of the largest file that is read whole."""
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
# A pipe in the place of a file must not make us wait for somebody who writes to it.
_READ_FILE = _READ | os.O_NONBLOCK
# A link, below a link, a socket; a folder or a pipe is found by looking.
_REPLACED = {errno.ELOOP, errno.ENOTDIR, errno.ENXIO}


class Replaced(OSError):
    """What is there is no file: something else was put in its place, or in that of a folder above it."""


class TooLarge(OSError):
    """More than is read whole; a file may say so of itself and hold nothing, and memory is everybody's."""


def read_regular(root: Path, name: str, *, offset: int = 0, count: int = -1) -> bytes:
    """Read a file of a step's folder, or a part of it; never what a link in or below the folder points to.

    The code of a module may write in the folder and nowhere else; the runner may read more than that code may.

    Args:
        root: the folder, whose own path no module can change.
        name: relative to the folder.
        offset: where to begin.
        count: how many bytes at most; all that there are on opening, if negative.

    Raises:
        FileNotFoundError.
        Replaced: it is a link or below one, or is no regular file.
        TooLarge: all of it is asked for, which is more than LARGEST.
        OSError: it can't be read.
    """
    try:
        handle = _open(root, name)
    except OSError as error:
        if error.errno in _REPLACED:
            raise Replaced(error.errno, "something else is in the place of the file", name) from error
        raise
    try:
        size = _size(handle, name)
        if count < 0 and size > LARGEST:
            raise TooLarge(errno.EFBIG, f"the file has {size} bytes, and {LARGEST} is the most that is read", name)
        with open(handle, "rb", closefd=False) as file:
            file.seek(offset)
            return file.read(max(0, size - offset) if count < 0 else count)
    finally:
        os.close(handle)


def _open(root: Path, name: str) -> int:
    *folders, last = Path(name).parts
    folder = os.open(root, _READ | os.O_DIRECTORY)
    try:
        for part in folders:
            inner = os.open(part, _READ | os.O_DIRECTORY, dir_fd=folder)
            os.close(folder)
            folder = inner
        return os.open(last, _READ_FILE, dir_fd=folder)
    finally:
        os.close(folder)


def _size(handle: int, name: str) -> int:
    found = os.fstat(handle)
    if not stat.S_ISREG(found.st_mode):
        raise Replaced(errno.EINVAL, "something else is in the place of the file", name)
    return found.st_size
