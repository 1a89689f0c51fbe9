"""The dispatcher: every committed wake arrives, in spite of bad rows and an absent Temporal."""

import asyncio
import contextlib
import os
import signal
import socket
from dataclasses import replace

import pytest
import structlog
from sqlalchemy import text
from temporalio.api.enums.v1 import EventType
from temporalio.client import (
    Client,
    ScheduleOverlapPolicy,
    ScheduleSpec,
    ScheduleUpdate,
    ScheduleUpdateInput,
    WorkflowExecutionDescription,
)
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.service import RPCError

from domain.long_work import TICK_EVERY
from domain.provisioning.run_states import RunState
from integrations.embedded.ports import free_port
from integrations.embedded.postgresql import PostgreSQL
from integrations.embedded.temporal import TemporalServer
from services.all import Services
from services.provisioning.wakes import LONGEST_SUMMARY, wake_of
from storage import outbox
from storage.database import Database
from storage.provisioning import runs
from tests.factories.modules import publish_module
from tests.factories.organizations import Caller
from tests.factories.runs import Driver
from workers.control import build_control_worker
from workers.dispatcher import TICK, Dispatcher

pytestmark = [pytest.mark.servers, pytest.mark.usefixtures("no_other_runs")]

LONGEST = 30
MANY = 5


@pytest.fixture
def dispatcher(
    database: Database, postgresql: PostgreSQL, temporal_client: Client, services: Services
) -> Dispatcher:
    return Dispatcher(database, temporal_client, areas=services.areas, listen_url=postgresql.platform_url)


@pytest.fixture
async def driver(services: Services, caller: Caller, database: Database) -> Driver:
    driver = Driver(services, caller.scope, await publish_module(services, caller, {"main.tf": ""}))
    async with database.platform("forget the module's own wake, and those of other tests") as session:
        await session.execute(text("DELETE FROM outbox"))
    return driver


async def workflow(client: Client, workflow_id: str) -> WorkflowExecutionDescription:
    """Return the workflow once it is there."""
    async with asyncio.timeout(LONGEST):
        while True:
            try:
                return await client.get_workflow_handle(workflow_id).describe()
            except RPCError:
                await asyncio.sleep(0.05)


async def left(database: Database, driver: Driver) -> list[tuple[int, str | None]]:
    async with database.transaction(driver.scope) as session:
        rows = await session.execute(text("SELECT attempts, last_error FROM outbox ORDER BY id"))
        return [(row.attempts, row.last_error) for row in rows]


class TestSweep:
    async def test_starts_a_workflow_that_operators_can_find(
        self, dispatcher: Dispatcher, driver: Driver, temporal_client: Client
    ) -> None:
        run = await driver.submit(environment="staging")
        await dispatcher.sweep()
        found = await workflow(temporal_client, f"run:{run.id}")
        assert {pair.key.name: pair.value for pair in found.typed_search_attributes} == {
            "Area": "provisioning",
            "Environment": "staging",
            "OrganizationId": str(driver.scope.organization_id),
            "ResourceId": str(run.id),
            "RunState": "accepted",
        }
        module = driver.module
        summary = f"apply of {run.deployment_name} in staging: {module.source} {module.version}"
        assert await found.static_summary() == summary
        assert found.raw_description.workflow_execution_info.priority.fairness_key == str(
            driver.scope.organization_id
        )

    async def test_starts_one_whose_module_has_the_longest_address_and_version(
        self, dispatcher: Dispatcher, driver: Driver, database: Database, temporal_client: Client
    ) -> None:
        run = await driver.submit()
        async with database.transaction(driver.scope) as session:
            row = await runs.get(session, driver.scope.organization_id, run.id)
            row.module_source, row.module_version = "s" * 200, "v" * 255
            await outbox.enqueue(session, driver.scope, wake_of(row))
        await dispatcher.sweep()
        found = await workflow(temporal_client, f"run:{run.id}")
        assert len(await found.static_summary() or "") == LONGEST_SUMMARY

    async def test_a_bad_row_delays_no_other_and_keeps_its_error(
        self, dispatcher: Dispatcher, driver: Driver, database: Database
    ) -> None:
        await driver.submit()
        async with database.platform("spoil a row") as session:
            await session.execute(text("UPDATE outbox SET workflow_id = repeat('x', 2000)"))
        await driver.submit()
        assert await dispatcher.sweep() == 1
        [(attempts, error)] = await left(database, driver)
        assert attempts == 1
        assert "length" in (error or "")
        async with database.platform("age the bad row") as session:
            await session.execute(text("UPDATE outbox SET attempts = 1000, next_attempt_at = now()"))
        await driver.submit()
        assert await dispatcher.sweep() == 1
        async with database.platform("forget the bad row") as session:
            await session.execute(text("DELETE FROM outbox"))

    async def test_without_temporal_wakes_stay_and_are_not_blamed(
        self, driver: Driver, database: Database, postgresql: PostgreSQL
    ) -> None:
        nowhere = await Client.connect(
            f"127.0.0.1:{free_port()}", data_converter=pydantic_data_converter, lazy=True
        )
        await driver.submit()
        assert await Dispatcher(database, nowhere, areas={}, listen_url=postgresql.platform_url).sweep() == 0
        [(attempts, error)] = await left(database, driver)
        assert attempts == 0
        assert error is not None

    async def test_a_temporal_that_hangs_is_away_and_no_wake_is_blamed(
        self, dispatcher: Dispatcher, driver: Driver, database: Database, temporal: TemporalServer
    ) -> None:
        await driver.submit()
        os.kill(temporal.pid, signal.SIGSTOP)
        try:
            with structlog.testing.capture_logs() as lines:
                assert await dispatcher.sweep() == 0
        finally:
            os.kill(temporal.pid, signal.SIGCONT)
        assert [(line["event"], line["reason"]) for line in lines] == [("server_away", "Timeout expired")]
        assert await left(database, driver) == [(0, "RPCError: Timeout expired")]

    async def test_a_temporal_that_never_answered_is_away(
        self, driver: Driver, database: Database, postgresql: PostgreSQL, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("workers.dispatcher.CALL_SECONDS", 0.1)
        with socket.create_server(("127.0.0.1", 0)) as silent:  # the kernel takes connections, and that is all
            address = f"127.0.0.1:{silent.getsockname()[1]}"
            client = await Client.connect(address, data_converter=pydantic_data_converter, lazy=True)
            await driver.submit()
            assert await Dispatcher(database, client, areas={}, listen_url=postgresql.platform_url).sweep() == 0
        assert await left(database, driver) == [(0, "TimeoutError")]

    async def test_of_two_at_once_each_wake_is_taken_by_one(
        self, dispatcher: Dispatcher, driver: Driver, database: Database
    ) -> None:
        for _ in range(20):
            await driver.submit()
        before = len(await left(database, driver))
        delivered = await asyncio.gather(*(dispatcher.sweep() for _ in range(3)))
        assert sum(delivered) >= before
        assert await left(database, driver) == []


class TestACompletedWorkflow:
    async def test_is_started_anew_for_a_row_that_has_not_ended(
        self, dispatcher: Dispatcher, driver: Driver, temporal_client: Client, database: Database
    ) -> None:
        run = await driver.submit()
        await driver.provisioning.runs.cancel(driver.scope, run.id)
        handle = temporal_client.get_workflow_handle(f"run:{run.id}")
        async with build_control_worker(temporal_client, driver.services), asyncio.timeout(LONGEST):
            await dispatcher.sweep()
            await handle.result()
            first = (await handle.describe()).run_id
            async with database.transaction(driver.scope) as session:
                await session.execute(
                    text(
                        "UPDATE run SET state = 'queued', finished_at = NULL, "
                        "due_at = now() - interval '2 minutes' WHERE id = :id"
                    ),
                    {"id": run.id},
                )
            await driver.provisioning.area.look_after()
            await dispatcher.sweep()
            await handle.result()
        assert (await driver.look(run)).state is RunState.CANCELED
        assert (await handle.describe()).run_id != first

    @pytest.mark.parametrize("hears_news", [True, False])
    async def test_is_told_while_it_runs_if_it_hears_of_news(
        self,
        dispatcher: Dispatcher,
        driver: Driver,
        temporal_client: Client,
        database: Database,
        monkeypatch: pytest.MonkeyPatch,
        *,
        hears_news: bool,
    ) -> None:
        run = await driver.submit()
        monkeypatch.setattr(driver.provisioning.area, "hears_news", hears_news)
        await dispatcher.sweep()
        async with database.transaction(driver.scope) as session:
            row = await runs.get(session, driver.scope.organization_id, run.id)
            await outbox.enqueue(session, driver.scope, wake_of(row))
        assert await dispatcher.sweep() == 1
        history = await temporal_client.get_workflow_handle(f"run:{run.id}").fetch_history()
        signals = [
            event
            for event in history.events
            if event.event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED
        ]
        assert len(signals) == (2 if hears_news else 0)

    async def test_is_left_alone_when_its_row_has_ended(
        self, dispatcher: Dispatcher, driver: Driver, temporal_client: Client, database: Database
    ) -> None:
        run = await driver.submit()
        await driver.provisioning.runs.cancel(driver.scope, run.id)
        handle = temporal_client.get_workflow_handle(f"run:{run.id}")
        async with build_control_worker(temporal_client, driver.services), asyncio.timeout(LONGEST):
            await dispatcher.sweep()
            await handle.result()
            first = (await handle.describe()).run_id
            async with database.transaction(driver.scope) as session:
                row = await runs.get(session, driver.scope.organization_id, run.id)
                await outbox.enqueue(session, driver.scope, wake_of(row))
            assert await dispatcher.sweep() == 1
        assert (await handle.describe()).run_id == first

    async def test_of_an_area_that_nobody_here_knows_is_left_to_another_worker(
        self, dispatcher: Dispatcher, driver: Driver, temporal_client: Client, database: Database
    ) -> None:
        run = await driver.submit()
        await driver.provisioning.runs.cancel(driver.scope, run.id)
        async with build_control_worker(temporal_client, driver.services), asyncio.timeout(LONGEST):
            await dispatcher.sweep()
            await temporal_client.get_workflow_handle(f"run:{run.id}").result()
        async with database.transaction(driver.scope) as session:
            row = await runs.get(session, driver.scope.organization_id, run.id)
            await outbox.enqueue(session, driver.scope, replace(wake_of(row), area="of-tomorrow"))
        with structlog.testing.capture_logs() as lines:
            assert await dispatcher.sweep() == 0
        assert [line["event"] for line in lines] == ["wake_postponed"]
        assert await left(database, driver) == [(1, "AreaUnknown: no area here is called of-tomorrow")]


class TestRun:
    async def test_hears_of_a_commit(
        self, dispatcher: Dispatcher, driver: Driver, temporal_client: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("workers.dispatcher.SWEEP_SECONDS", 3600)  # only by hearing, then
        running = asyncio.create_task(dispatcher.run())
        try:
            run = await driver.submit()
            await workflow(temporal_client, f"run:{run.id}")
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    async def test_a_sweep_that_always_fails_is_one_line(
        self, dispatcher: Dispatcher, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("workers.dispatcher.SWEEP_SECONDS", 0)
        enough = asyncio.Event()
        sweeps = 0

        async def fail() -> int:
            nonlocal sweeps
            sweeps += 1
            if sweeps == MANY:
                enough.set()
            raise ValueError("a defect")

        monkeypatch.setattr(dispatcher, "sweep", fail)
        with structlog.testing.capture_logs() as lines:
            running = asyncio.create_task(dispatcher.run())
            async with asyncio.timeout(LONGEST):
                await enough.wait()
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
        assert [line["event"] for line in lines if line["event"] == "sweep_failed"] == ["sweep_failed"]


class TestTheTick:
    @pytest.fixture(autouse=True)
    async def no_tick(self, temporal_client: Client) -> None:
        """Begin without a Schedule, and without a tick of the same second: there can't be two."""
        with contextlib.suppress(RPCError):
            await temporal_client.get_schedule_handle(TICK).delete()
        ticks = temporal_client.list_workflows("WorkflowType = 'control.tick' AND ExecutionStatus = 'Running'")
        async for tick in ticks:
            with contextlib.suppress(RPCError):  # what is listed may have ended since
                await temporal_client.get_workflow_handle(tick.id, run_id=tick.run_id).terminate()

    async def test_is_made_and_runs_at_once(self, dispatcher: Dispatcher, temporal_client: Client) -> None:
        with structlog.testing.capture_logs() as lines:
            await dispatcher.ensure_tick()
            await dispatcher.ensure_tick()
        handle = temporal_client.get_schedule_handle(TICK)
        assert (await handle.describe()).schedule.spec.intervals[0].every == TICK_EVERY
        assert lines == []
        async with asyncio.timeout(LONGEST):
            while not (done := (await handle.describe()).info.recent_actions):  # noqa: ASYNC110  the server does it
                await asyncio.sleep(0.05)
        assert done[0].scheduled_at.timestamp() % TICK_EVERY.total_seconds() != 0  # not when the interval has it

    async def test_is_made_anew_when_somebody_has_deleted_it(
        self, dispatcher: Dispatcher, temporal_client: Client
    ) -> None:
        await dispatcher.ensure_tick()
        await temporal_client.get_schedule_handle(TICK).delete()
        with structlog.testing.capture_logs() as lines:
            await dispatcher.ensure_tick()
        await temporal_client.get_schedule_handle(TICK).describe()
        assert [(line["event"], line["log_level"]) for line in lines] == [("tick_was_missing", "warning")]

    async def test_goes_on_when_somebody_has_paused_it(
        self, dispatcher: Dispatcher, temporal_client: Client
    ) -> None:
        await dispatcher.ensure_tick()
        await temporal_client.get_schedule_handle(TICK).pause(note="too much noise")
        with structlog.testing.capture_logs() as lines:
            await dispatcher.ensure_tick()
        assert not (await temporal_client.get_schedule_handle(TICK).describe()).schedule.state.paused
        assert [(line["event"], line["note"]) for line in lines] == [("tick_was_paused", "too much noise")]

    async def test_is_as_wanted_again_when_somebody_has_changed_it(
        self, dispatcher: Dispatcher, temporal_client: Client
    ) -> None:
        await dispatcher.ensure_tick()
        handle = temporal_client.get_schedule_handle(TICK)

        def weekly(found: ScheduleUpdateInput) -> ScheduleUpdate:
            changed = found.description.schedule
            changed.spec = ScheduleSpec(cron_expressions=["0 0 * * 0"])
            changed.policy.overlap = ScheduleOverlapPolicy.BUFFER_ALL
            return ScheduleUpdate(changed)

        await handle.update(weekly)
        with structlog.testing.capture_logs() as lines:
            await dispatcher.ensure_tick()
            await dispatcher.ensure_tick()
        tick = (await handle.describe()).schedule
        assert [each.every for each in tick.spec.intervals] == [TICK_EVERY]
        assert (tick.spec.calendars, tick.policy.overlap) == ([], ScheduleOverlapPolicy.SKIP)
        assert [(line["event"], line["log_level"]) for line in lines] == [("tick_was_changed", "warning")]

    async def test_of_two_dispatchers_one_makes_it(self, dispatcher: Dispatcher, temporal_client: Client) -> None:
        await asyncio.gather(dispatcher.ensure_tick(), dispatcher.ensure_tick())
        await temporal_client.get_schedule_handle(TICK).describe()
