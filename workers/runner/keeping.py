"""Calls the recorder until it has answered, as long as that may still help."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import structlog

from workers.runner.recorder import LeaseLost

T = TypeVar("T")

_FIRST_WAIT: Final = 0.1
_LONGEST_WAIT: Final = 2.0
log = structlog.get_logger(__name__)


class NotKept(Exception):
    """The database did not answer in time; what was to be stored is still in the step's folder."""


class Keeping:
    """Repeats calls of a recorder while the CLI runs, and for a limited time after it has ended."""

    def __init__(self) -> None:
        """Begin without an end in sight."""
        self._until: float | None = None

    def end_in(self, seconds: float) -> None:
        """Give up what is not kept by then."""
        self._until = asyncio.get_running_loop().time() + seconds

    async def keep(self, what: str, call: Callable[[], Awaitable[T]]) -> T:
        """Return what the call returns, in the end.

        An error that nobody foresaw is answered like an outage: what has to be kept is safe in the folder for
        as long as it takes, and only a lost lease is an answer.

        Raises:
            NotKept: not by the time given to end_in.
            LeaseLost: the recorder says so.
        """
        wait = _FIRST_WAIT
        while True:
            try:
                return await call()
            except LeaseLost:
                raise
            except Exception as error:
                left = _LONGEST_WAIT if self._until is None else self._left(self._until)
                log.warning("not_kept_yet", what=what, error=f"{type(error).__name__}: {error}")
                if left <= 0:
                    raise NotKept(what) from error
            await asyncio.sleep(min(wait, left))  # nothing tells when a database is back
            wait = min(2 * wait, _LONGEST_WAIT)

    def _left(self, until: float) -> float:
        return until - asyncio.get_running_loop().time()


async def wait_within(event: asyncio.Event, seconds: float) -> bool:
    """Wait for an event, no longer than that; tell whether it is set."""
    try:
        async with asyncio.timeout(seconds):
            return await event.wait()
    except TimeoutError:
        return event.is_set()
