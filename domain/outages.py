"""Servers that are away for a while, as is expected of them now and then, and come back."""

import time
from typing import Final, Protocol

from domain.errors import Unavailable

SETTLING_SECONDS: Final = 10.0
"""A server that has just come back still fails a call now and then: that is not said until it has lasted."""


class Log(Protocol):
    """What is said goes here."""

    def warning(self, event: str, **fields: object) -> object:
        """Say something that somebody should know."""

    def info(self, event: str, **fields: object) -> object:
        """Say something for whoever reads."""


class Outage:
    """One line when a server goes away and one when it is back, however often it is tried meanwhile.

    What fails within SETTLING_SECONDS of its return, and not after them, is not said.
    """

    def __init__(self, log: Log, server: str) -> None:
        """Take the log of whoever asks the server, and what operators call the server."""
        self._log = log
        self._server = server
        self._since: float | None = None
        self._is_said = False
        self._settled_at = time.monotonic()

    def began(self, error: Exception) -> None:
        """Note that it did not answer."""
        now = time.monotonic()
        if self._since is None:
            self._since = now
        if not self._is_said and now >= self._settled_at:
            self._is_said = True
            told = error.reason if isinstance(error, Unavailable) else str(error)
            reason = next(iter(told.splitlines()), "") or type(error).__name__
            self._log.warning("server_away", server=self._server, reason=reason)

    def ended(self) -> None:
        """Note that it answered."""
        since, is_said = self._since, self._is_said
        self._since, self._is_said = None, False
        if since is not None and is_said:
            now = time.monotonic()
            self._settled_at = now + SETTLING_SECONDS
            self._log.info("server_back", server=self._server, seconds=round(now - since, 1))
