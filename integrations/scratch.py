"""Folders for what is needed for a moment: they end with whoever made them, also where that is killed.

They lie in the system's folder of temporary files (`TMPDIR`). As long as its maker lives, a folder is locked; the
kernel ends that with the process. Ids of processes would tell less: containers that share a disk have each twice.
"""

import fcntl
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

_KINDS: Final = ("archive", "documents", "gpg", "metrics")
_PREFIX: Final = "groundwork-"
_JUST_MADE: Final = 60.0
"""Seconds in which whoever makes a folder locks it."""


@contextmanager
def scratch(kind: str) -> Iterator[Path]:
    """Make a folder that nobody else may look into; it is gone at the end.

    Args:
        kind: one of _KINDS, for the folder's name.

    Raises:
        OSError: the disk takes none.
    """
    folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{kind}-"))
    claimed = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(claimed, fcntl.LOCK_EX)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(claimed)


def clear_scratch() -> int:
    """Remove the folders whose makers were killed, and tell how many those were."""
    found = (path for kind in _KINDS for path in Path(tempfile.gettempdir()).glob(f"{_PREFIX}{kind}-*"))
    return sum(_remove_if_left(path) for path in found)


def _remove_if_left(folder: Path) -> bool:
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:  # it is gone, or somebody else's
        return False
    try:
        state = os.fstat(handle)
        is_mine = state.st_uid == os.geteuid() and stat.S_IMODE(state.st_mode) == stat.S_IRWXU
        if not is_mine or state.st_mtime > time.time() - _JUST_MADE:
            return False
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder, ignore_errors=True)
    except BlockingIOError:
        return False
    finally:
        os.close(handle)
    return not folder.exists()
