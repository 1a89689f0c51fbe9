"""Where runners record: the use cases, over a database connection of the runner's own.

A runner is given a factory by name; the worker says in the child's environment where the settings are, exactly
as for every other process of the product, so no secret travels on a command line.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from config.start import begin_process
from domain.provisioning.errors import StepSuperseded
from domain.provisioning.steps import StepJob, StepResult
from domain.scope import Actor, ActorKind, Scope
from services.all import Services
from services.provisioning.outcomes import Outcomes, PlanFiles
from services.provisioning.step_states import StepStates
from services.provisioning.steps import Steps
from workers.composition import open_services
from workers.runner.recorder import LeaseLost, Renewal


class ServiceRecorder:
    """Records one step through the use cases; see workers.runner.recorder.StepRecorder for the promises."""

    def __init__(self, steps: Steps, outcomes: Outcomes, states: StepStates, job: StepJob) -> None:
        """Take the use cases and whose step it is."""
        self._steps = steps
        self._outcomes = outcomes
        self._states = states
        self._scope = Scope(job.organization_id, Actor(ActorKind.RUN, str(job.run_id)))
        self._step_id = job.step_id

    async def cli_started(self) -> None:
        """Commit that the CLI is about to start."""
        try:
            await self._steps.cli_started(self._scope, self._step_id)
        except StepSuperseded as error:
            raise LeaseLost(error.detail) from error

    async def renew(self) -> Renewal:
        """Prolong the lease."""
        try:
            return Renewal(cancel_requested=await self._steps.renew(self._scope, self._step_id))
        except StepSuperseded as error:
            raise LeaseLost(error.detail) from error

    async def store_log(self, offset: int, data: bytes) -> None:
        """Store redacted log."""
        await self._steps.store_log(self._scope, self._step_id, offset, data)

    async def store_state(self, data: bytes) -> None:
        """Store a state file."""
        await self._states.store(self._scope, self._step_id, data)

    async def record_outcome(self, result: StepResult) -> None:
        """Record how the step ended."""
        plan = None if result.plan is None else await asyncio.to_thread(_read_plan, result)
        try:
            await self._outcomes.record(self._scope, result.outcome(), outputs=result.outputs, plan=plan)
        except StepSuperseded as error:
            raise LeaseLost(error.detail) from error


class ServiceRecorders:
    """Gives the recorders of a runner's jobs."""

    def __init__(self, services: Services) -> None:
        """Take the use cases."""
        self._services = services

    def for_step(self, job: StepJob) -> ServiceRecorder:
        """Make the recorder of a job."""
        return ServiceRecorder(
            self._services.provisioning.steps,
            self._services.provisioning.outcomes,
            self._services.provisioning.step_states,
            job,
        )


@asynccontextmanager
async def open_recorders() -> AsyncIterator[ServiceRecorders]:
    """Open them as long as the runner lives, by the settings of this process's environment."""
    settings = begin_process()
    async with open_services(settings) as services:
        yield ServiceRecorders(services)


def _read_plan(result: StepResult) -> PlanFiles | None:
    plan = result.plan
    if plan is None:
        return None
    return PlanFiles(
        sha256=plan.sha256,
        plan=plan.path.read_bytes(),
        lock_file=_bytes(plan.lock_file),
        text=plan.text,
    )


def _bytes(path: Path | None) -> bytes | None:
    return None if path is None else path.read_bytes()
