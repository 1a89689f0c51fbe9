"""Servers that are away for a while, as is expected of them now and then, and come back."""

import time
from typing import Protocol

from domain.errors import Unavailable


class Log(Protocol):
    """What is said goes here."""

    def warning(self, event: str, **fields: object) -> object:
        """Say something that somebody should know."""

    def info(self, event: str, **fields: object) -> object:
        """Say something for whoever reads."""


class Outage:
    """One line when a server goes away and one when it is back, however often it is tried meanwhile."""

    def __init__(self, log: Log, server: str) -> None:
        """Take the log of whoever asks the server, and what operators call the server."""
        self._log = log
        self._server = server
        self._since: float | None = None

    def began(self, error: Exception) -> None:
        """Note that it did not answer."""
        if self._since is None:
            self._since = time.monotonic()
            told = error.reason if isinstance(error, Unavailable) else str(error)
            reason = next(iter(told.splitlines()), "") or type(error).__name__
            self._log.warning("server_away", server=self._server, reason=reason)

    def ended(self) -> None:
        """Note that it answered."""
        if self._since is not None:
            seconds = round(time.monotonic() - self._since, 1)
            self._since = None
            self._log.info("server_back", server=self._server, seconds=seconds)
