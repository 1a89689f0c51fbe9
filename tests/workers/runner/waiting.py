"""Waiting for what other processes do: they tell nobody, so it is looked for."""

import asyncio
from collections.abc import Callable
from pathlib import Path

LONGEST = 30.0


async def until(condition: Callable[[], bool]) -> None:
    """Return when the condition holds; fail if it never does."""
    async with asyncio.timeout(LONGEST):
        while not condition():  # noqa: ASYNC110  what is waited for is in another process
            await asyncio.sleep(0.01)


def state_of(pid: int) -> str:
    """Tell what a process does, by the kernel's letter; empty if there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""


def is_running(pid: int) -> bool:
    """Tell whether a process is there and has not ended."""
    return state_of(pid) not in {"", "Z", "X"}


def parent_of(pid: int) -> int:
    """Tell who waits for a process."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def text_of(path: Path) -> str:
    """Read a file that may not be there yet."""
    return path.read_text() if path.exists() else ""
