"""What the tick does for runs: nobody is forgotten, and nobody's trouble is another's."""

from collections.abc import Awaitable, Callable

import pytest
import structlog
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from domain.scope import Scope
from services import areas
from services.all import Services
from services.provisioning import area
from services.provisioning.admission import free_and_admit
from storage.database import Database, Session
from tests.factories.modules import publish_module
from tests.factories.organizations import Caller
from tests.factories.runs import Driver
from tests.fixtures.platform import end_other_runs

pytestmark = pytest.mark.servers


@pytest.fixture(autouse=True)
async def alone(owner: AsyncEngine) -> None:
    """Begin each test without the runs of others: what is looked after is everybody's."""
    await end_other_runs(owner)


async def age(database: Database, driver: Driver, *run_ids: object, minutes: int = 2) -> None:
    """Let runs be due for so long, as if nobody had looked at them; their first wakes have been delivered."""
    async with database.transaction(driver.scope) as session:
        for run_id in run_ids:
            await session.execute(
                text("UPDATE run SET due_at = now() - make_interval(mins => :m) WHERE id = :id"),
                {"id": run_id, "m": minutes},
            )
    async with database.platform("deliver") as session:
        await session.execute(
            text("DELETE FROM outbox WHERE organization_id = :id"), {"id": driver.scope.organization_id}
        )


async def wakes_of(database: Database, driver: Driver) -> list[str]:
    async with database.transaction(driver.scope) as session:
        return list(await session.scalars(text("SELECT workflow_id FROM outbox")))


async def lose_end(database: Database, driver: Driver, run_id: object) -> None:
    """End a run as no use case does: its deployment's lock stays."""
    async with database.transaction(driver.scope) as session:
        await session.execute(
            text("UPDATE run SET state = 'failed', finished_at = now(), due_at = NULL WHERE id = :id"),
            {"id": run_id},
        )


@pytest.fixture
async def other(services: Services, make_caller: Callable[[], Awaitable[Caller]]) -> Driver:
    """Make an organization beside the test's own."""
    caller = await make_caller()
    return Driver(services, caller.scope, await publish_module(services, caller, {"main.tf": ""}))


class TestLookAfter:
    async def test_wakes_what_is_past_its_time_and_nothing_else(self, driver: Driver, database: Database) -> None:
        overdue, _ = await driver.submit(), await driver.submit()
        await age(database, driver, overdue.id)
        report = await driver.provisioning.area.look_after()
        assert await wakes_of(database, driver) == [f"run:{overdue.id}"]
        assert report.done == {"woken": 1}

    async def test_again_adds_no_wake_and_waits_another_minute(self, driver: Driver, database: Database) -> None:
        run = await driver.submit()
        await age(database, driver, run.id)
        await driver.provisioning.area.look_after()
        assert (await driver.provisioning.area.look_after()).done == {}
        assert await wakes_of(database, driver) == [f"run:{run.id}"]

    async def test_runs_that_stay_overdue_take_turns(
        self, driver: Driver, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(areas, "MOST_AT_ONCE", 1)
        stuck, waiting = await driver.submit(), await driver.submit()
        await age(database, driver, stuck.id, minutes=60)
        await age(database, driver, waiting.id, minutes=30)
        await driver.provisioning.area.look_after()
        assert await wakes_of(database, driver) == [f"run:{stuck.id}"]
        await driver.provisioning.area.look_after()
        assert sorted(await wakes_of(database, driver)) == sorted([f"run:{stuck.id}", f"run:{waiting.id}"])

    async def test_does_not_wait_for_a_run_that_somebody_works_on(
        self, driver: Driver, database: Database
    ) -> None:
        held, free = await driver.submit(), await driver.submit()
        await age(database, driver, held.id, free.id)
        async with database.transaction(driver.scope) as session:
            await session.execute(text("SELECT FROM run WHERE id = :id FOR UPDATE"), {"id": held.id})
            assert (await driver.provisioning.area.look_after()).done == {"woken": 1}
        assert await wakes_of(database, driver) == [f"run:{free.id}"]

    async def test_lets_go_of_a_lock_that_an_ended_run_still_holds_and_admits_the_next(
        self, driver: Driver, database: Database
    ) -> None:
        first = await driver.submit(deployment="one")
        second = await driver.submit(deployment="one")
        await lose_end(database, driver, first.id)
        assert (await driver.provisioning.area.look_after()).done == {"released": 1, "admitted": 1}
        assert (await driver.look(second)).admitted_at is not None

    async def test_an_error_in_one_organization_is_logged_and_the_others_go_on(
        self, driver: Driver, other: Driver, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def fails_here(session: Session, scope: Scope, capacity: dict[str, int | None]) -> object:
            if scope.organization_id == driver.scope.organization_id:
                raise ValueError("a row that nobody thought of")
            return await free_and_admit(session, scope, capacity)

        monkeypatch.setattr(area, "free_and_admit", fails_here)
        in_line = []
        for each in (driver, other):
            first = await each.submit(deployment="one")
            in_line.append(await each.submit(deployment="one"))
            await lose_end(database, each, first.id)
        with structlog.testing.capture_logs() as lines:
            report = await driver.provisioning.area.look_after()
        assert (report.done, report.failed) == ({"released": 1, "admitted": 1}, 1)
        assert (await other.look(in_line[1])).admitted_at is not None
        [line] = [line for line in lines if line["log_level"] == "warning"]
        assert (line["area"], line["error"]) == ("provisioning", "ValueError")
        assert line["organization_id"] == str(driver.scope.organization_id)
