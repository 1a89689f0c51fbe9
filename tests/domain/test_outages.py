"""What is said of a server that is away."""

import time

import pytest
import structlog

from domain.errors import Unavailable
from domain.outages import SETTLING_SECONDS, Outage

log = structlog.get_logger(__name__)


class Clock:
    now = 1000.0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(time, "monotonic", lambda: made.now)
    return made


class TestOutage:
    def test_is_a_line_when_it_begins_and_a_line_when_it_ends(self) -> None:
        outage = Outage(log, "PostgreSQL")
        with structlog.testing.capture_logs() as lines:
            outage.ended()
            for _ in range(3):
                outage.began(OSError("connection refused\nis the server running?"))
            outage.ended()
            outage.ended()
        assert [line["event"] for line in lines] == ["server_away", "server_back"]
        assert (lines[0]["server"], lines[0]["reason"]) == ("PostgreSQL", "connection refused")
        assert lines[1]["seconds"] >= 0

    def test_is_told_again_when_it_comes_again(self, clock: Clock) -> None:
        outage = Outage(log, "Temporal")
        with structlog.testing.capture_logs() as lines:
            outage.began(TimeoutError())
            outage.ended()
            clock.now += SETTLING_SECONDS
            outage.began(TimeoutError())
        assert [line["event"] for line in lines] == ["server_away", "server_back", "server_away"]
        assert lines[0]["reason"] == "TimeoutError"

    def test_is_not_told_again_of_a_call_that_fails_while_the_server_settles(self) -> None:
        outage = Outage(log, "Temporal")
        with structlog.testing.capture_logs() as lines:
            outage.began(TimeoutError())
            outage.ended()
            outage.began(TimeoutError())
            outage.ended()
        assert [line["event"] for line in lines] == ["server_away", "server_back"]

    def test_is_told_when_it_outlasts_the_settling_and_with_all_its_seconds(self, clock: Clock) -> None:
        outage = Outage(log, "Temporal")
        with structlog.testing.capture_logs() as lines:
            outage.began(TimeoutError())
            outage.ended()
            for _ in range(4):
                outage.began(TimeoutError())
                clock.now += SETTLING_SECONDS / 2
            outage.ended()
        assert [line["event"] for line in lines] == ["server_away", "server_back"] * 2
        assert lines[-1]["seconds"] == 2 * SETTLING_SECONDS

    def test_says_what_the_server_said_and_not_what_callers_are_told(self) -> None:
        with structlog.testing.capture_logs() as lines:
            Outage(log, "PostgreSQL").began(
                Unavailable("the database does not answer", reason="53100 DiskFull: no")
            )
        assert [line["reason"] for line in lines] == ["53100 DiskFull: no"]
