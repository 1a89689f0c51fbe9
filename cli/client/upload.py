"""Files on their way to the API, with a bar of the bytes that were sent."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO


class Counted:
    """A file that tells how much of it was read; an upload reads what it sends."""

    def __init__(self, file: IO[bytes], tell: Callable[[int], None]) -> None:
        """Take a file open for reading, and whom to tell."""
        self._file = file
        self._tell = tell

    def fileno(self) -> int:
        """Give the descriptor: the file's size is asked for by it."""
        return self._file.fileno()

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to a place."""
        return self._file.seek(offset, whence)

    def read(self, size: int = -1) -> bytes:
        """Read on, and tell how much it was."""
        content = self._file.read(size)
        self._tell(len(content))
        return content


@contextmanager
def upload_progress(title: str, total: int, *, quiet: bool) -> Iterator[Callable[[int], None]]:
    """Show how an upload goes, on a terminal; the caller tells how many more bytes were sent."""
    if quiet or not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console  # noqa: PLC0415  a tenth of a second that only terminals pay
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn  # noqa: PLC0415

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(title, total=total)

        def sent(count: int) -> None:
            progress.advance(task, count)
            if progress.tasks[0].finished:
                progress.update(task, description=f"{title}: the registry checks it")

        yield sent
