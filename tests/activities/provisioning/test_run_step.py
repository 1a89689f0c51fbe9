"""The activity of a step, over real use cases and a runner that does what the test says."""

import asyncio
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import text
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.provisioning.step_jobs import GIVEN, StepSettings
from activities.provisioning.steps import StepActivities
from domain.deployments.sources import EngineName
from domain.ids import new_id
from domain.provisioning.messages import StepOrder
from domain.provisioning.steps import (
    ExitClass,
    InterruptReason,
    Sandbox,
    StepJob,
    StepLimits,
    StepOutcome,
    StepProgress,
)
from integrations.terraformrc import RegistryHost
from services.all import Services
from storage.database import Database
from tests.factories.modules import publish_module
from tests.factories.organizations import Caller
from tests.factories.runs import Driver, an_outcome

pytestmark = pytest.mark.servers


def names_in(folder: Path) -> list[str]:
    """List a folder."""
    return [path.name for path in folder.iterdir()]


class PatientRunners:
    """Runs steps that end only when they are interrupted."""

    def __init__(self) -> None:
        self.running = asyncio.Event()
        self.interrupts: list[InterruptReason] = []
        self._interrupted = asyncio.Event()

    async def run(self, job: StepJob, on_progress: Callable[[StepProgress], None]) -> StepOutcome:  # noqa: ARG002  the protocol's signature
        self.running.set()
        await self._interrupted.wait()
        return an_outcome(job.step_id, ExitClass.INTERRUPTED)

    def interrupt(self, step_id: UUID, reason: InterruptReason) -> None:  # noqa: ARG002  the protocol's signature
        self.interrupts.append(reason)
        self._interrupted.set()


@dataclass(frozen=True, slots=True)
class Due:
    """A step that is due, and the activity that does it."""

    driver: Driver
    order: StepOrder
    runners: PatientRunners
    activities: StepActivities


@pytest.fixture
async def due(services: Services, caller: Caller, tmp_path: Path) -> Due:
    driver = Driver(services, caller.scope, await publish_module(services, caller, {"main.tf": ""}))
    move = await driver.advance(await driver.submit())
    assert move.step is not None
    runners = PatientRunners()
    activities = StepActivities(
        services.provisioning.moves,
        services.provisioning.steps,
        services.provisioning.materials,
        services.provisioning.run_keys,
        runners=runners,
        settings=StepSettings(
            worker="test/1",
            work_path=tmp_path,
            engines={EngineName.TERRAFORM: Path("terraform"), EngineName.OPENTOFU: Path("tofu")},
            # A grace that no test waits for: it is the CLI's after the interrupt, and none before it.
            limits=StepLimits(grace=timedelta(hours=1)),
            sandbox=Sandbox.NONE,
            registry=RegistryHost("registry.groundwork.test", "https://127.0.0.1:1"),
            ca_certificate=None,
        ),
    )
    return Due(driver, move.step, runners, activities)


class TestRunStep:
    async def test_a_shutdown_interrupts_the_cli_at_once_and_once(self, due: Due, tmp_path: Path) -> None:
        environment = ActivityEnvironment()
        step = asyncio.ensure_future(environment.run(due.activities.run_step, due.order))
        await asyncio.wait((step, asyncio.create_task(due.runners.running.wait())), return_when="FIRST_COMPLETED")
        environment.worker_shutdown()
        async with asyncio.timeout(30):
            report = await step
        assert due.runners.interrupts == [InterruptReason.SHUTDOWN]
        assert report.exit_class is ExitClass.INTERRUPTED
        assert names_in(tmp_path) == []

    async def test_what_was_given_stays_while_the_runner_has_left_its_own_folder(
        self, due: Due, tmp_path: Path
    ) -> None:
        step = asyncio.ensure_future(ActivityEnvironment().run(due.activities.run_step, due.order))
        await asyncio.wait((step, asyncio.create_task(due.runners.running.wait())), return_when="FIRST_COMPLETED")
        [given] = names_in(tmp_path)
        (tmp_path / given.removesuffix(GIVEN)).mkdir()
        due.runners.interrupt(new_id(), InterruptReason.WORKER_GONE)
        async with asyncio.timeout(30):
            await step
        assert given in names_in(tmp_path)

    async def test_a_blob_store_that_is_away_is_no_failure_of_the_step(
        self, due: Due, blob_folder: Path, database: Database
    ) -> None:
        away = blob_folder.with_name("unmounted")
        shutil.move(blob_folder, away)
        try:
            with pytest.raises(ApplicationError) as raised:
                await ActivityEnvironment().run(due.activities.run_step, due.order)
        finally:
            shutil.move(away, blob_folder)
        assert (raised.value.type, raised.value.non_retryable) == ("platform.unavailable", False)
        async with database.transaction(due.driver.scope) as session:
            query = text("SELECT excused, lease_expires_at <= now(), error_message FROM run_step")
            [(excused, is_given_back, message)] = await session.execute(query)
        assert (excused, is_given_back) == (True, True)
        assert "brought its folder back" in message
