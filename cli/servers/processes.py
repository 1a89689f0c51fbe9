"""What the processes of one API share: the life of their parent, and a folder for what they count."""

import ctypes
import multiprocessing
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from domain.errors import Unavailable

COUNTS: Final = "PROMETHEUS_MULTIPROC_DIR"
"""Where prometheus_client looks for the folder."""
COUNTED: Final = ("counter", "histogram")
"""Kinds of metrics that processes count; prometheus_client has a file of each for every process."""
ROOM: Final = 1024 * 1024
"""Bytes of such a file: some thousand series, which is more than all routes have."""
_PR_SET_PDEATHSIG: Final = 1


@contextmanager
def shared_counts(processes: int) -> Iterator[None]:
    """Give the processes that are started meanwhile a folder for their counts.

    What a process that died has counted stays counted, by the one that takes its place: a sum that fell would look
    like a new beginning.

    Raises:
        Unavailable: the disk of temporary files has no room for it.
    """
    with TemporaryDirectory(prefix="groundwork-metrics-") as folder:
        for number in range(processes):
            _reserve(Path(folder), str(number))
        for trial in Path(folder).iterdir():
            trial.unlink()
        # Before a child imports the metrics: whichever is scraped then tells what all of them counted.
        os.environ[COUNTS] = folder
        try:
            yield
        finally:
            del os.environ[COUNTS]


def begin_child() -> None:
    """Let a process that another one started end with it, and have room for its counts; others stay as they are.

    Raises:
        Unavailable: see shared_counts.
    """
    parent = multiprocessing.parent_process()
    if parent is None:
        return
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent.pid:  # it was faster
        os.kill(os.getpid(), signal.SIGTERM)
    if COUNTS in os.environ:
        folder, process = Path(os.environ[COUNTS]), str(os.getpid())
        _take_over(folder, process)
        _reserve(folder, process)


def _take_over(folder: Path, process: str) -> None:
    """Go on with the counts of a process that died, if there is one, so that there are never more than processes.

    Otherwise one that dies again and again would fill the disk, and make each scrape read more.
    """
    first, *others = COUNTED
    for path in folder.glob(f"{first}_*.db"):
        died = path.stem.removeprefix(f"{first}_")
        if Path("/proc", died).exists():
            continue
        try:
            path.rename(folder / f"{first}_{process}.db")
        except FileNotFoundError:  # another new one was faster
            continue
        for kind in others:
            with suppress(FileNotFoundError):  # it died before it had made it
                (folder / f"{kind}_{died}.db").rename(folder / f"{kind}_{process}.db")
        return


def _reserve(folder: Path, process: str) -> None:
    """Make a process's files with all of their bytes on disk.

    They are written through memory. A page that finds no room then kills the process by SIGBUS, and the files that
    prometheus_client makes by itself have no pages yet.
    """
    made = []
    try:
        for kind in COUNTED:
            path = folder / f"{kind}_{process}.db"
            made.append(path)
            with path.open("ab") as file:
                os.posix_fallocate(file.fileno(), 0, ROOM)
    except OSError as error:
        for path in made:
            path.unlink(missing_ok=True)
        raise Unavailable(
            f"there is no room for the metrics of a process in {folder}: {error.strerror}"
        ) from error
