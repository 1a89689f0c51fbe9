"""What a run waits for, as its status tells."""

from collections.abc import Awaitable, Callable
from datetime import UTC
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from domain.long_work import CONTROL_QUEUE, TERRAFORM_QUEUE
from domain.provisioning.run_states import RunState
from domain.provisioning.runs import Run
from domain.provisioning.steps import ExitClass, StepOperation
from domain.provisioning.waiting import Waiting, WaitsFor
from storage.database import Database
from tests.factories.runs import A_PLAN, Driver, an_outcome
from tests.services.provisioning.test_runs import rest

pytestmark = pytest.mark.servers


@pytest.fixture(autouse=True)
async def nobody_works(database: Database) -> None:
    """Take away the signs of life that earlier tests left."""
    async with database.platform("a test") as session:
        await session.execute(text("DELETE FROM worker"))


async def waiting(driver: Driver, run: Run) -> Waiting | None:
    return (await driver.provisioning.runs.detail(driver.scope, run.id)).waiting


async def works(driver: Driver, *queues: str) -> UUID:
    worker = uuid4()
    await driver.provisioning.workers.beat(worker, "a-host", [*queues], 1)
    return worker


class TestWorker:
    async def test_is_waited_for_as_long_as_nobody_is_there(self, driver: Driver) -> None:
        run = await driver.submit()
        found = await waiting(driver, run)
        assert found is not None
        assert (found.waits_for, found.queue) == (WaitsFor.WORKER, CONTROL_QUEUE)
        assert found.reason == "no worker of the queue control is there to go on with it"

    async def test_of_the_tools_is_waited_for_once_their_turn_has_come(self, driver: Driver) -> None:
        await works(driver, CONTROL_QUEUE)
        run = await driver.submit()
        assert await waiting(driver, run) is None
        await driver.advance(run)
        found = await waiting(driver, run)
        assert found is not None
        assert (found.waits_for, found.queue) == (WaitsFor.WORKER, TERRAFORM_QUEUE)
        await works(driver, TERRAFORM_QUEUE)
        found = await waiting(driver, run)
        assert found is not None
        assert (found.waits_for, found.queue) == (WaitsFor.SLOT, TERRAFORM_QUEUE)

    async def test_of_the_tools_is_not_waited_for_by_a_run_that_is_to_stop_or_whose_step_ended(
        self, driver: Driver
    ) -> None:
        await works(driver, CONTROL_QUEUE)
        canceled, planned = await driver.submit(), await driver.submit()
        await driver.advance(canceled)
        await driver.provisioning.runs.cancel(driver.scope, canceled.id)
        step = await driver.admit(planned)
        await driver.provisioning.outcomes.record(driver.scope, an_outcome(step.step_id), outputs={}, plan=A_PLAN)
        assert [await waiting(driver, run) for run in (canceled, planned)] == [None, None]

    async def test_is_not_waited_for_while_a_step_goes_on_without_one(self, driver: Driver) -> None:
        run = await driver.submit()
        await driver.admit(run)
        assert await waiting(driver, run) is None

    async def test_is_waited_for_once_the_plan_is_approved(self, driver: Driver) -> None:
        run = await driver.submit()
        await driver.plan(run)
        await driver.approve(run)
        found = await waiting(driver, run)
        assert found is not None
        assert found.waits_for is WaitsFor.WORKER

    async def test_is_not_waited_for_by_a_run_that_has_ended(self, driver: Driver) -> None:
        run = await driver.submit()
        await driver.plan(run, ExitClass.FAILED)
        assert await waiting(driver, run) is None


class TestRetry:
    async def test_is_waited_for_with_its_reason_and_its_time(self, driver: Driver, database: Database) -> None:
        await works(driver, CONTROL_QUEUE, TERRAFORM_QUEUE)
        run = await driver.submit()
        step = await driver.admit(run)
        await driver.provisioning.steps.give_back(driver.scope, step.step_id, "there is no tofu", excused=False)
        found = await waiting(driver, run)
        assert found is not None
        assert found.retry_at is not None
        assert found.waits_for is WaitsFor.RETRY
        at = f"{found.retry_at.astimezone(UTC):%H:%M:%S}"
        assert found.reason == f"the plan could not be begun (there is no tofu), and is tried again at {at} UTC"
        await rest(database, driver.scope)
        found = await waiting(driver, run)
        assert found is not None
        assert found.waits_for is WaitsFor.SLOT

    async def test_is_not_waited_for_by_a_run_that_is_to_stop(self, driver: Driver) -> None:
        await works(driver, CONTROL_QUEUE, TERRAFORM_QUEUE)
        run = await driver.submit()
        step = await driver.admit(run)
        await driver.provisioning.steps.give_back(driver.scope, step.step_id, "a reason", excused=False)
        await driver.provisioning.runs.cancel(driver.scope, run.id)
        assert await waiting(driver, run) is None


class TestDelivery:
    @pytest.mark.parametrize(
        "undelivered",
        ["last_error = 'no answer'", "created_at = now() - interval '2 minutes'"],
        ids=["failed", "old"],
    )
    async def test_is_waited_for_while_temporal_is_away(
        self, driver: Driver, database: Database, undelivered: str
    ) -> None:
        await works(driver, CONTROL_QUEUE, TERRAFORM_QUEUE)
        run = await driver.submit()
        assert await waiting(driver, run) is None
        async with database.platform("a dispatcher that finds no Temporal") as session:
            await session.execute(
                text(f"UPDATE outbox SET {undelivered} WHERE workflow_id = :id"),  # noqa: S608  the test's own words
                {"id": f"run:{run.id}"},
            )
        found = await waiting(driver, run)
        assert found is not None
        assert found.waits_for is WaitsFor.DELIVERY


class TestPerson:
    async def test_is_waited_for_with_a_plan(self, driver: Driver) -> None:
        run = await driver.submit()
        await driver.plan(run)
        found = await waiting(driver, run)
        assert found is not None
        assert found.waits_for is WaitsFor.APPROVAL

    async def test_who_acknowledges_is_waited_for_by_name_of_the_run(
        self, driver: Driver, database: Database
    ) -> None:
        left = await driver.submit(deployment="one")
        await driver.plan(left, ExitClass.FAILED)
        async with database.transaction(driver.scope) as session:
            await session.execute(
                text("UPDATE deployment SET blocked_by_run_id = :run WHERE id = :id"),
                {"run": left.id, "id": left.deployment_id},
            )
        found = await waiting(driver, await driver.submit(deployment="one"))
        assert found is not None
        assert (found.waits_for, found.run_id) == (WaitsFor.ACKNOWLEDGEMENT, left.id)


class TestDeployment:
    async def test_is_waited_for_by_the_run_that_has_it_and_where_that_is(self, driver: Driver) -> None:
        first = await driver.submit(deployment="one")
        await driver.plan(first)
        second, third = await driver.submit(deployment="one"), await driver.submit(deployment="one")
        for run in (second, third):
            found = await waiting(driver, run)
            assert found is not None
            assert (found.waits_for, found.run_id) == (WaitsFor.RUN, first.id)
            assert found.run_state is RunState.AWAITING_APPROVAL
            assert found.reason == f"run {first.id}, which is awaiting_approval, has the deployment"

    async def test_is_not_waited_for_by_a_run_that_only_plans(self, driver: Driver) -> None:
        await works(driver, CONTROL_QUEUE, TERRAFORM_QUEUE)
        await driver.submit(deployment="one")
        preview = await driver.submit(deployment="one", operation=StepOperation.PLAN)
        assert await waiting(driver, preview) is None

    async def test_that_somebody_has_locked_is_waited_for(self, driver: Driver, owner: AsyncEngine) -> None:
        first = await driver.submit(deployment="one")
        lock = text("UPDATE deployment_lock SET holder_kind = 'person', run_id = NULL WHERE deployment_id = :id")
        async with owner.begin() as connection:
            await connection.execute(lock, {"id": first.deployment_id})
        found = await waiting(driver, await driver.submit(deployment="one"))
        assert found is not None
        assert (found.waits_for, found.run_id) == (WaitsFor.LOCK, None)

    async def test_is_waited_for_behind_a_run_that_waits_too(self, driver: Driver, database: Database) -> None:
        await self._allow(database, driver, 1)
        await driver.submit()
        first, second = await driver.submit(deployment="one"), await driver.submit(deployment="one")
        found = await waiting(driver, second)
        assert found is not None
        assert (found.waits_for, found.run_id) == (WaitsFor.RUN, first.id)
        assert found.reason == f"run {first.id}, which is accepted, comes first"

    async def test_is_not_what_is_waited_for_when_the_organization_has_no_permit_left(
        self, driver: Driver, database: Database
    ) -> None:
        await self._allow(database, driver, 1)
        await driver.submit()
        found = await waiting(driver, await driver.submit())
        assert found is not None
        assert found.waits_for is WaitsFor.PERMIT

    async def test_names_no_run_of_another_organization(
        self, driver: Driver, make_driver: Callable[[], Awaitable[Driver]]
    ) -> None:
        other = await make_driver()
        await other.submit(deployment="one")
        await works(driver, CONTROL_QUEUE, TERRAFORM_QUEUE)
        assert await waiting(driver, await driver.submit(deployment="one")) is None

    @staticmethod
    async def _allow(database: Database, driver: Driver, number: int) -> None:
        async with database.transaction(driver.scope) as session:
            await session.execute(
                text("INSERT INTO permit (organization_id, environment, capacity) VALUES (:id, '', :number)"),
                {"id": driver.scope.organization_id, "number": number},
            )
