"""The activity of a step, over real use cases and a runner that does what the test says."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from temporalio.testing import ActivityEnvironment

from activities.provisioning.step_jobs import StepSettings
from activities.provisioning.steps import StepActivities
from domain.deployments.sources import EngineName
from domain.provisioning.steps import (
    ExitClass,
    InterruptReason,
    Sandbox,
    StepJob,
    StepLimits,
    StepOutcome,
    StepProgress,
)
from services.all import Services
from tests.factories.modules import publish_module
from tests.factories.organizations import Caller
from tests.factories.runs import Driver, an_outcome

pytestmark = pytest.mark.servers


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


class TestRunStep:
    async def test_a_shutdown_interrupts_the_cli_at_once_and_once(
        self, services: Services, caller: Caller, tmp_path: Path
    ) -> None:
        driver = Driver(services, caller.scope, await publish_module(services, caller, {"main.tf": ""}))
        move = await driver.advance(await driver.submit())
        assert move.step is not None
        runners = PatientRunners()
        steps = StepActivities(
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
                registry=None,
                sources=(),
                ca_certificate=None,
            ),
        )
        environment = ActivityEnvironment()
        step = asyncio.ensure_future(environment.run(steps.run_step, move.step))
        await asyncio.wait((step, asyncio.create_task(runners.running.wait())), return_when="FIRST_COMPLETED")
        environment.worker_shutdown()
        async with asyncio.timeout(30):
            report = await step
        assert runners.interrupts == [InterruptReason.SHUTDOWN]
        assert report.exit_class is ExitClass.INTERRUPTED
