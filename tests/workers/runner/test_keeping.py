"""What can't be stored is told from a database that is away."""

from collections.abc import Iterator

import pytest
import structlog

from domain.errors import ErrorKind, PlatformError, Unavailable
from workers.runner.keeping import Keeping, NotKept, Refused
from workers.runner.recorder import LeaseLost


class Unfit(PlatformError):
    kind = ErrorKind.INVALID
    code = "test.unfit"


class Recorder:
    """Raises one error after the other, then answers."""

    def __init__(self, *errors: Exception) -> None:
        self._errors: Iterator[Exception] = iter(errors)
        self.calls = 0

    async def store(self) -> str:
        self.calls += 1
        for error in self._errors:
            raise error
        return "stored"


class TestKeep:
    @pytest.mark.parametrize("error", [Unavailable("away"), OSError("no space left"), TimeoutError()])
    async def test_waits_for_the_end_of_an_outage(self, error: Exception) -> None:
        recorder = Recorder(*[error] * 4)
        assert await Keeping().keep("log", recorder.store) == "stored"

    async def test_says_once_that_an_outage_began_and_once_that_it_is_over(self) -> None:
        with structlog.testing.capture_logs() as lines:
            await Keeping().keep("log", Recorder(*[Unavailable("away", reason="57P03 starting")] * 3).store)
        assert [line["event"] for line in lines] == ["server_away", "server_back"]
        assert lines[0]["reason"] == "57P03 starting"

    async def test_gives_up_an_outage_at_the_time_given(self) -> None:
        keeping, recorder = Keeping(), Recorder(*[Unavailable("away")] * 100)
        keeping.end_in(0)
        with pytest.raises(NotKept):
            await keeping.keep("log", recorder.store)

    async def test_tries_again_what_may_have_been_another_writers_doing(self) -> None:
        assert await Keeping().keep("log", Recorder(KeyError("duplicate")).store) == "stored"

    async def test_refuses_what_fails_each_time_without_telling_its_words(self) -> None:
        recorder = Recorder(*[ValueError("a password")] * 100)
        with pytest.raises(Refused, match=r"^the outcome could not be stored: ValueError$"):
            await Keeping().keep("outcome", recorder.store)
        assert recorder.calls == 3

    async def test_says_what_was_refused_on_purpose(self) -> None:
        with pytest.raises(Refused, match="this is not a state file"):
            await Keeping().keep("state", Recorder(*[Unfit("this is not a state file")] * 3).store)

    async def test_obeys_a_lost_lease_at_once(self) -> None:
        recorder = Recorder(LeaseLost())
        with pytest.raises(LeaseLost):
            await Keeping().keep("outcome", recorder.store)
        assert recorder.calls == 1
