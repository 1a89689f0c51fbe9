"""Files on their way to the API, and how far they are."""

import io
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cli.client.errors import FileUnusable
from cli.client.file_errors import because


class Counted(io.BufferedReader):
    """A file that tells how much of it was read; an upload reads what it sends."""

    def __init__(self, file: Path, tell: Callable[[int], None]) -> None:
        """Open a file, to tell somebody of what is read from it.

        Raises:
            FileUnusable: it can't be read.
        """
        try:
            super().__init__(io.FileIO(file))
        except OSError as error:
            raise FileUnusable(f"{file} can't be read {because(error)}") from error
        self._tell = tell

    def read(self, size: int | None = -1, /) -> bytes:
        """Read on, and tell how much it was."""
        content = super().read(size)
        self._tell(len(content))
        return content


def in_bytes(count: int) -> str:
    """Write a size as people read it."""
    from rich.filesize import decimal  # noqa: PLC0415  a tenth of a second that few commands pay

    return decimal(count)


@contextmanager
def upload_progress(title: str, total: int, *, quiet: bool) -> Iterator[Callable[[int], None]]:
    """Show how an upload goes, by a bar on a terminal, else by one line.

    The caller tells how many more bytes were sent.
    """
    if quiet:
        yield lambda _: None
        return
    if not sys.stderr.isatty():
        print(f"sending {title}, {in_bytes(total)}", file=sys.stderr, flush=True)
        yield lambda _: None
        return
    from rich.console import Console  # noqa: PLC0415  a tenth of a second that only terminals pay
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn  # noqa: PLC0415  rich is slow to import, and most commands show no bar

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(title, total=total)

        def sent(count: int) -> None:
            progress.advance(task, count)
            if progress.tasks[0].finished:
                progress.update(task, description=f"{title}: the registry checks it")

        yield sent
