"""`groundwork blobs`: the bytes that the servers keep, looked at by who operates them."""

import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Final

from cyclopts import App, Parameter

from cli.client.upload import in_bytes
from cli.output import PEOPLE, Output, examples
from config.start import begin_process
from domain.blobs import ADVICE, CheckedBlob
from workers.composition import open_services

MENDED: Final = (
    "restore these from the backup of the blob store, or have the same files published again; then verify the "
    "providers' releases again"
)

blobs = App(
    name="blobs",
    help="Look at the blob store: is everything there, and whole?",
    help_format="plaintext",
    version_flags=[],
    help_epilogue=examples("groundwork blobs check", "groundwork blobs check --sample 1000 --json"),
)


@blobs.command(help_epilogue=examples("groundwork blobs check", "groundwork blobs check --sample 1000 --json"))
async def check(
    *,
    sample: Annotated[int | None, Parameter(help="Read so many at random; all by default.")] = None,
    output: Output = PEOPLE,
) -> int:
    """Read the blobs that the database knows, hold each to its hash, and list those that are lost or damaged.

    It changes nothing, and the servers may go on meanwhile. Exit status 1 if any is not as it should be. It reads
    the settings as servers do.
    """
    bad: list[CheckedBlob] = []
    read = size = 0
    async with open_services(begin_process()) as services:
        state = await services.blobs.look()
        if state in ADVICE:
            output.progress(f"{state}: {ADVICE[state]}")
        known, known_size = await services.blobs.count()
        total = known if sample is None else min(sample, known)
        found = services.blobs.check() if sample is None else services.blobs.sample(sample)
        async for blob in _shown(found, f"{total} of {known} blobs ({in_bytes(known_size)})", total, output):
            read, size = read + 1, size + blob.size
            if blob.problem is not None:
                bad.append(blob)
    document = {
        "store": state,
        "read": read,
        "bytes": size,
        "bad": [{"sha256": blob.sha256, "size": blob.size, "problem": blob.problem} for blob in bad],
    }
    lines = [f"{blob.problem}  {blob.sha256}  {in_bytes(blob.size)}" for blob in bad]
    outcome = f"{len(bad)} are not whole; {MENDED}" if bad else "all are whole"
    output.result(document, "\n".join([*lines, f"{read} blobs read, {in_bytes(size)}: {outcome}"]))
    return 1 if bad or state.is_wrong else 0


async def _shown(
    found: AsyncIterator[CheckedBlob], title: str, total: int, output: Output
) -> AsyncIterator[CheckedBlob]:
    """Show how far it is: by a bar on a terminal, else by one line."""
    with _bar(title, total, output) as bar:
        async for blob in found:
            bar()
            yield blob


@contextmanager
def _bar(title: str, total: int, output: Output) -> Iterator[Callable[[], None]]:
    if output.quiet or not sys.stderr.isatty():
        output.progress(f"reading {title}")
        yield lambda: None
        return
    from rich.console import Console  # noqa: PLC0415  a tenth of a second that only terminals pay
    from rich.progress import Progress  # noqa: PLC0415  the same

    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task(f"reading {title}", total=total)
        yield lambda: progress.advance(task)
