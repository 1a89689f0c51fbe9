"""What it takes to keep ten long secrets out of a log."""

import base64
import random
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Final

from bench.measurements import Measurement
from domain.redaction import Redactor

SECRETS: Final = 10
SECRET_BYTES: Final = 6 * 1024
PIECE: Final = 64 * 1024
PIECES: Final = 64
LINE: Final = (
    b'{"@level":"info","@message":"terraform_data.it: Still creating... [10s elapsed]","@module":"terraform.ui",'
    b'"type":"apply_progress","hook":{"resource":{"addr":"terraform_data.it"},"elapsed_seconds":10}}\n'
)


async def redaction() -> AsyncIterator[Measurement]:
    """Redact a log of 4 MB against keys of many lines, each of which is a secret; and copy it, for comparison."""
    redactor = Redactor([_key(random.Random(number)) for number in range(SECRETS)])  # noqa: S311  no real secrets
    log = (LINE * (PIECE * PIECES // len(LINE) + 1))[: PIECE * PIECES]
    with tempfile.TemporaryDirectory(prefix="groundwork-bench-") as folder:
        source = Path(folder) / "log"
        source.write_bytes(log)
        copied = _copy(source, Path(folder) / "bare", lambda piece: piece)
        redacted = _copy(source, Path(folder) / "redacted", redactor.feed)
    megabytes = len(log) / 1e6
    yield Measurement(
        "log redacted for ten secrets of 6 KB",
        megabytes / redacted,
        "MB/s",
        # Ten thousand lines a second: more than one CLI writes, while other steps share its core.
        2,
        at_most=False,
        note=f"bare copy {megabytes / copied:.0f} MB/s, {redacted / copied:.0f} times as fast",
    )


def _key(chance: random.Random) -> str:
    body = base64.encodebytes(chance.randbytes(SECRET_BYTES * 3 // 4)).decode()
    return f"-----BEGIN PRIVATE KEY-----\n{body}-----END PRIVATE KEY-----\n"


def _copy(source: Path, target: Path, change: Callable[[bytes], bytes]) -> float:
    """Copy a file by pieces, each changed on its way; give the seconds."""
    began = time.perf_counter()
    with source.open("rb", buffering=0) as reader, target.open("wb", buffering=0) as writer:
        while piece := reader.read(PIECE):
            writer.write(change(piece))
    return time.perf_counter() - began
