"""Calls the recorder until it has answered, as long as that may still help."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import structlog

from domain.errors import ErrorKind, PlatformError
from domain.outages import Outage
from workers.runner.recorder import LeaseLost

T = TypeVar("T")

_FIRST_WAIT: Final = 0.1
_LONGEST_WAIT: Final = 2.0
_MOST_REFUSALS: Final = 3  # two writers that got in each other's way do not do so again and again
log = structlog.get_logger(__name__)


class NotKept(Exception):
    """The database did not answer in time; what was to be stored is still in the step's folder."""


class Refused(Exception):
    """What was to be stored can't be, now or later. The text says why, without anything of what it was."""


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

        An outage is waited for: what has to be kept is safe in the folder for as long as it takes. Any other
        error is about what was to be kept, and comes again however often that is tried.

        Raises:
            NotKept: not by the time given to end_in.
            Refused: it can't be kept.
            LeaseLost: the recorder says so.
        """
        wait = _FIRST_WAIT
        refusals = 0
        outage = Outage(log, f"PostgreSQL or the blob store, for the {what}")
        while True:
            try:
                kept = await call()
            except LeaseLost:
                raise
            except Exception as error:
                left = _LONGEST_WAIT if self._until is None else self._left(self._until)
                if is_outage(error):
                    outage.began(error)
                else:
                    refusals += 1
                    log.warning("not_kept_yet", what=what, error=_reason(error))
                if refusals == _MOST_REFUSALS:
                    raise Refused(f"the {what} could not be stored: {_reason(error)}") from error
                if left <= 0:
                    raise NotKept(what) from error
            else:
                outage.ended()
                return kept
            await asyncio.sleep(min(wait, left))  # nothing tells when a database is back
            wait = min(2 * wait, _LONGEST_WAIT)

    def _left(self, until: float) -> float:
        return until - asyncio.get_running_loop().time()


def is_outage(error: Exception) -> bool:
    """Tell whether the same may be answered later."""
    if isinstance(error, PlatformError):
        return error.kind is ErrorKind.UNAVAILABLE
    return isinstance(error, OSError)


def _reason(error: Exception) -> str:
    """Say what an error is; the words of one that nobody foresaw may be those of a secret."""
    return error.detail if isinstance(error, PlatformError) else type(error).__name__


async def wait_within(event: asyncio.Event, seconds: float) -> bool:
    """Wait for an event, no longer than that; tell whether it is set."""
    try:
        async with asyncio.timeout(seconds):
            return await event.wait()
    except TimeoutError:
        return event.is_set()
