"""A run, followed to its end over any number of connections."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from cli.client.api import Api
from cli.client.errors import SERVER_ERRORS, RequestRefused, ServerUnreachable

GIVEN_UP_AFTER: Final = 60.0
"""Seconds that the server may be away before a run is followed no more; its restart takes less."""
PAUSE: Final = 1.0
SAID_AFTER: Final = 2.0
"""Seconds after which somebody who watches wants to know why nothing comes."""


@dataclass(frozen=True, slots=True)
class LogText:
    """Some lines of the log, without the last line's end."""

    text: str


@dataclass(frozen=True, slots=True)
class StateSeen:
    """A state that the run came to; a final one is the last of all."""

    state: str
    final: bool


@dataclass(frozen=True, slots=True)
class ConnectionLost:
    """The server has not been there for a while; it is asked again until it is, or is given up."""


def follow(api: Api, run_id: str) -> Iterator[LogText | StateSeen | ConnectionLost]:
    """Give lines and states as they come; a connection that breaks is made again, and nothing comes twice.

    Raises:
        ServerUnreachable: the server was away for GIVEN_UP_AFTER seconds.
        RequestRefused: there is no such run, the key may not read it, or the server failed for as long.
    """
    last_event_id: str | None = None
    state: str | None = None
    outage = _Outage()
    while True:
        try:
            with api.events(f"/api/v1/runs/{run_id}/logs", last_event_id=last_event_id) as events:
                outage = _Outage()
                for event in events:
                    last_event_id = event.id or last_event_id
                    match event.event:
                        case "log":
                            yield LogText(event.data)
                        case "state" | "end":
                            seen = StateSeen(_state(event.json()), final=event.event == "end")
                            if seen.final or seen.state != state:
                                yield seen
                            state = seen.state
                            if seen.final:
                                return
        except (ServerUnreachable, RequestRefused) as error:
            if outage.is_hopeless(error):
                raise
            if outage.is_news():
                yield ConnectionLost()
        time.sleep(PAUSE)


class _Outage:
    """How long the server has been away, and whether that was said."""

    def __init__(self) -> None:
        self._began: float | None = None
        self._said = False

    def is_hopeless(self, error: ServerUnreachable | RequestRefused) -> bool:
        if isinstance(error, RequestRefused) and error.status < SERVER_ERRORS:
            return True
        self._began = time.monotonic() if self._began is None else self._began
        return time.monotonic() - self._began > GIVEN_UP_AFTER

    def is_news(self) -> bool:
        if self._said or self._began is None or time.monotonic() - self._began < SAID_AFTER:
            return False
        self._said = True
        return True


def _state(document: object) -> str:
    return str(document["state"]) if isinstance(document, dict) else ""
