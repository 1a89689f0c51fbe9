"""Logs of runs: read from any byte, and followed by many at once."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from domain.provisioning.errors import RunNotFound
from domain.provisioning.logs import LogPosition
from domain.provisioning.run_states import RunState
from domain.provisioning.runs import Run
from domain.provisioning.steps import ExitClass
from storage.database import Database
from storage.provisioning import logs
from storage.provisioning.logs import Watched
from tests.factories.runs import Driver, an_outcome
from tests.fixtures.queries import counted_queries

pytestmark = pytest.mark.servers


async def always() -> bool:
    return True


async def followed(driver: Driver, run: Run, after: LogPosition) -> tuple[bytes, RunState | None]:
    seen, end = b"", None
    async for news in driver.provisioning.logs.follow(driver.scope, run.id, after, always):
        if isinstance(news, RunState):
            end = news
        else:
            seen += b"".join(piece.data for piece in news)
    return seen, end


async def with_log(driver: Driver, *pieces: bytes) -> Run:
    """Give a run that failed, and wrote this before."""
    run = await driver.submit()
    step = await driver.admit(run)
    offset = 0
    for piece in pieces:
        await driver.provisioning.steps.store_log(driver.scope, step.step_id, offset, piece)
        offset += len(piece)
    failed = an_outcome(step.step_id, ExitClass.FAILED)
    await driver.provisioning.outcomes.record(driver.scope, failed, outputs={}, plan=None)
    await driver.advance(run)
    return run


@pytest.fixture
def two_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read two chunks at once at most, and look again only when there is a reason to."""
    monkeypatch.setattr("storage.provisioning.logs.MOST_CHUNKS", 2)
    monkeypatch.setattr("services.provisioning.logs.MOST_CHUNKS", 2)
    monkeypatch.setattr("services.provisioning.logs.EVERY", 3600)


class TestRead:
    async def test_are_read_on_from_any_byte(self, driver: Driver) -> None:
        run = await driver.submit()
        step = await driver.admit(run)
        for offset, data in ((0, b"one\n"), (4, b"two\n"), (4, b"two\n"), (8, b"three\n")):
            await driver.provisioning.steps.store_log(driver.scope, step.step_id, offset, data)
        pieces = await driver.provisioning.logs.read(driver.scope, run.id, LogPosition(1, 6))
        assert [(piece.offset, piece.data) for piece in pieces] == [(6, b"o\n"), (8, b"three\n")]

    async def test_however_large_a_piece_is_any_byte_of_it_is_found(self, driver: Driver) -> None:
        run = await driver.submit()
        step = await driver.admit(run)
        whole = bytes(range(256)) * 10_000
        await driver.provisioning.steps.store_log(driver.scope, step.step_id, 0, whole)
        await driver.provisioning.steps.store_log(driver.scope, step.step_id, len(whole), b"end")
        for start in (0, 1, 1024 * 1024, 2_000_000, len(whole) - 1, len(whole), len(whole) + 2):
            pieces = await driver.provisioning.logs.read(driver.scope, run.id, LogPosition(1, start))
            assert b"".join(piece.data for piece in pieces) == (whole + b"end")[start:]


class TestFollow:
    async def test_followers_see_all_of_it_and_how_the_run_ended(self, driver: Driver) -> None:
        run = await driver.submit(auto_apply=True)
        step = await driver.admit(run)
        positions = (LogPosition(), LogPosition(1, 4))
        followers = [asyncio.create_task(followed(driver, run, at)) for at in positions]
        await driver.provisioning.steps.store_log(driver.scope, step.step_id, 0, b"one\n")
        await driver.provisioning.steps.store_log(driver.scope, step.step_id, 4, b"two\n")
        await driver.provisioning.outcomes.record(
            driver.scope, an_outcome(step.step_id, ExitClass.FAILED), outputs={}, plan=None
        )
        await driver.advance(run)
        assert await asyncio.gather(*followers) == [
            (b"one\ntwo\n", RunState.FAILED),
            (b"two\n", RunState.FAILED),
        ]

    @pytest.mark.usefixtures("walls")
    async def test_nobody_follows_anothers_run(self, make_driver: Callable[[], Awaitable[Driver]]) -> None:
        driver, stranger = await make_driver(), await make_driver()
        run = await driver.submit()
        step = await driver.admit(run)
        await driver.provisioning.steps.store_log(driver.scope, step.step_id, 0, b"one\n")
        with pytest.raises(RunNotFound):
            await anext(driver.provisioning.logs.follow(stranger.scope, run.id, LogPosition(), always))

    @pytest.mark.usefixtures("two_at_once")
    async def test_a_long_log_keeps_nobody_waiting_who_reads_another(
        self, driver: Driver, database: Database
    ) -> None:
        runs = [await with_log(driver, *(b"1", b"2", b"3")[:count]) for count in (3, 1)]
        at_begin = [Watched(driver.scope.organization_id, run.id, 0, 0) for run in runs]
        async with database.platform("test") as session:
            found = await logs.after(session, at_begin)
        assert [[chunk.data for chunk in chunks] for chunks in found] == [[b"1", b"2"], [b"1"]]

    @pytest.mark.usefixtures("two_at_once")
    async def test_a_long_log_is_read_without_a_pause(self, driver: Driver, database: Database) -> None:
        run = await with_log(driver, b"1", b"2", b"3", b"4", b"5")
        with counted_queries(database) as queries:
            assert await followed(driver, run, LogPosition()) == (b"12345", RunState.FAILED)
        assert len([query for query in queries if "LATERAL" in query]) == 3

    @pytest.mark.usefixtures("two_at_once")
    async def test_who_reads_at_the_end_waits_for_nobody_at_the_beginning(self, driver: Driver) -> None:
        run = await with_log(driver, b"1", b"2", b"3")
        slow = driver.provisioning.logs.follow(driver.scope, run.id, LogPosition(), always)
        assert [piece.data for piece in await anext(slow)] == [b"1", b"2"]  # type: ignore[union-attr]  # no state
        assert await followed(driver, run, LogPosition(1, 2)) == (b"3", RunState.FAILED)
        await slow.aclose()  # type: ignore[attr-defined]  # it is a generator

    async def test_ends_when_it_may_be_read_no_longer(
        self, driver: Driver, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("services.provisioning.logs.ASKED_AGAIN", 0.01)
        answers = iter([True, False])

        async def may_still() -> bool:
            return next(answers)

        run = await driver.submit()
        news = [n async for n in driver.provisioning.logs.follow(driver.scope, run.id, LogPosition(), may_still)]
        assert set(news) <= {RunState.ACCEPTED}
        assert list(answers) == []
