"""Records a history of every way through the workflows: `python -m tests.workflows.record_histories`.

Real servers and use cases; only the CLI is played, by what a run's input says. They are kept as
`histories/<workflow>/<version>-<case>.json`, by the version in pyproject.toml. Those of a released version stay as
they are: workflow code that can't replay them would break the runs that are under way during an upgrade.
"""

import asyncio
import json
import os
import sys
import tomllib
from collections.abc import Awaitable, Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from sqlalchemy import text
from temporalio import activity
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Worker

from config.secrets import Secrets
from domain.long_work import TERRAFORM_QUEUE
from domain.provisioning.messages import RunReference, StepOrder, StepReport
from domain.provisioning.run_states import FINAL, RunState
from domain.provisioning.runs import Run
from domain.provisioning.steps import ExitClass, StepPhase
from domain.registry.documents import INGEST_WORKFLOW
from domain.registry.verifications import VERIFY_WORKFLOW
from domain.scope import PLATFORM, Scope
from integrations.embedded.postgresql import PostgreSQL
from integrations.embedded.temporal import TemporalServer
from services.all import Services
from storage.blobs.local import LocalBlobStore
from storage.database import Database
from storage.migrations.upgrade import upgrade
from storage.roles import ensure_roles
from tests.factories.modules import publish_module
from tests.factories.organizations import make_caller
from tests.factories.providers import ask_for_verification
from tests.factories.runs import A_PLAN, WORKER, Driver, an_outcome
from tests.factories.services import make_services
from workers.control import build_control_worker
from workers.dispatcher import TICK, Dispatcher
from workers.transfer import build_transfer_worker

ROOT: Final = Path(__file__).parents[2]
FOLDER: Final = Path(__file__).parent / "histories"
PLAYED: Final = "played"
"""Name of the input that says how the steps of a run go."""


class PlayedSteps:
    """Stands in for the CLI: admits steps as the real activity does, and then does what the run's input says."""

    def __init__(self, services: Services, database: Database) -> None:
        self._services = services
        self._database = database

    @activity.defn(name="provisioning.run_step")
    async def run_step(self, order: StepOrder) -> StepReport:
        scope, steps = Scope(order.organization_id, PLATFORM), self._services.provisioning.steps
        step = await steps.admit(scope, order, WORKER)
        play = step.inputs.get(PLAYED)
        if play == "give back once" and (order.phase, order.attempt) == (StepPhase.PLAN, 1):
            await steps.give_back(scope, step.step_id, "a reason", excused=False)
            raise RuntimeError("nothing has begun")
        await steps.cli_started(scope, step.step_id)
        exit_class = ExitClass.SUCCEEDED
        if order.phase is StepPhase.APPLY and play == "wait to be canceled":
            try:
                while True:
                    activity.heartbeat()
                    await asyncio.sleep(0.1)
            except asyncio.CancelledError:
                exit_class = ExitClass.INTERRUPTED
        if order.phase is StepPhase.APPLY and play == "lose the apply":
            async with self._database.transaction(scope) as session:
                await session.execute(text("UPDATE run_step SET lease_expires_at = now() - interval '1 second'"))
            raise RuntimeError("the worker is gone")
        plan = A_PLAN if order.phase is StepPhase.PLAN else None
        await self._services.provisioning.outcomes.record(
            scope, an_outcome(step.step_id, exit_class), outputs={}, plan=plan
        )
        reference = RunReference(organization_id=order.organization_id, run_id=order.run_id)
        return StepReport(exit_class=exit_class, move=await self._services.provisioning.moves.advance(reference))


class Recorder:
    """Makes runs, waits for them, and writes their histories down."""

    def __init__(self, driver: Driver, client: Client, version: str) -> None:
        self.driver = driver
        self.client = client
        self.version = version

    async def reaches(self, run: Run, state: RunState) -> None:
        while (await self.driver.look(run)).state is not state:  # noqa: ASYNC110  a worker moves it on
            await asyncio.sleep(0.02)

    async def ends(self, run: Run) -> None:
        while (await self.driver.look(run)).state not in FINAL:  # noqa: ASYNC110  a worker moves it on
            await asyncio.sleep(0.02)

    async def write(self, workflow: str, case: str, workflow_id: str) -> None:
        handle = self.client.get_workflow_handle(workflow_id)
        await handle.result()
        said = json.loads((await handle.fetch_history()).to_json())
        path = FOLDER / workflow / f"{self.version}-{case}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(_without_places(said), indent=1) + "\n")

    async def approved(self) -> Run:
        run = await self.driver.submit()
        await self.reaches(run, RunState.AWAITING_APPROVAL)
        await self.driver.provisioning.runs.approve(self.driver.scope, run.id, None)
        return run

    async def applied_at_once(self) -> Run:
        return await self.driver.submit(auto_apply=True)

    async def rejected(self) -> Run:
        run = await self.driver.submit()
        await self.reaches(run, RunState.AWAITING_APPROVAL)
        await self.driver.provisioning.runs.reject(self.driver.scope, run.id, None)
        return run

    async def canceled_while_it_waits(self) -> Run:
        run = await self.driver.submit()
        await self.reaches(run, RunState.AWAITING_APPROVAL)
        await self.driver.provisioning.runs.cancel(self.driver.scope, run.id)
        return run

    async def canceled_while_it_applies(self) -> Run:
        run = await self.driver.submit(auto_apply=True, inputs={PLAYED: "wait to be canceled"})
        await self.reaches(run, RunState.APPLYING)
        await self.driver.provisioning.runs.cancel(self.driver.scope, run.id)
        return run

    async def waits_in_line(self) -> Run:
        first = await self.driver.submit(deployment="one")
        second = await self.driver.submit(deployment="one", auto_apply=True)
        await self.reaches(first, RunState.AWAITING_APPROVAL)
        await self.reaches(second, RunState.QUEUED)
        await self.driver.provisioning.runs.reject(self.driver.scope, first.id, None)
        return second

    async def planned_again(self) -> Run:
        return await self.driver.submit(auto_apply=True, inputs={PLAYED: "give back once"})

    async def apply_lost(self) -> Run:
        return await self.driver.submit(auto_apply=True, inputs={PLAYED: "lose the apply"})

    def ways(self) -> tuple[Callable[[], Awaitable[Run]], ...]:
        return (
            self.approved,
            self.applied_at_once,
            self.rejected,
            self.canceled_while_it_waits,
            self.canceled_while_it_applies,
            self.waits_in_line,
            self.planned_again,
            self.apply_lost,
        )


def unreleased_version(root: Path) -> str:
    """Give the version that is being worked on.

    Raises:
        ValueError: the changelog has it as released, so that runs may be under way that went as it recorded them.
    """
    version: str = tomllib.loads((root / "pyproject.toml").read_text())["project"]["version"]
    if f"## {version} (unreleased)" not in (root / "CHANGELOG.md").read_text().splitlines():
        raise ValueError(
            f"CHANGELOG.md does not have {version} as unreleased: its histories stay as they are; first give "
            "pyproject.toml and the changelog the next version"
        )
    return version


async def record(folder: Path, version: str) -> None:
    """Start everything, go every way, and write what Temporal kept in the place of what this version recorded."""
    async with (
        PostgreSQL(folder / "postgresql", durable=False) as server,
        TemporalServer(folder / "t") as temporal,
    ):
        ensure_roles(server.owner_url, server.app_url, server.platform_url)
        upgrade(server.owner_url)
        database = Database(server.app_url, server.platform_url)
        keys = Secrets(key_encryption_key=os.urandom(32), pepper=os.urandom(32), signing_key=os.urandom(32))
        services = make_services(database, keys, LocalBlobStore(folder / "blobs"))
        client = await Client.connect(temporal.address, data_converter=pydantic_data_converter)
        dispatcher = Dispatcher(database, client, areas=services.areas, listen_url=server.platform_url)
        played = PlayedSteps(services, database)
        async with (
            build_control_worker(client, services),
            build_transfer_worker(client, services),
            Worker(client, task_queue=TERRAFORM_QUEUE, activities=[played.run_step]),
            asyncio.TaskGroup() as tasks,
        ):
            dispatching = tasks.create_task(dispatcher.run())
            recorder = Recorder(await _driver(services), client, version)
            for recorded in FOLDER.glob(f"*/{version}-*.json"):
                recorded.unlink()
            for way in recorder.ways():
                run = await way()
                await recorder.ends(run)
                await recorder.write("provisioning.run", way.__name__, f"run:{run.id}")
            ingested = [found async for found in client.list_workflows(f'WorkflowType = "{INGEST_WORKFLOW}"')]
            await recorder.write(INGEST_WORKFLOW, "reads_documents", ingested[0].id)
            asked = await ask_for_verification(services, recorder.driver.scope)
            resource_id = str(asked.verification_id)
            while await services.registry.verifications.is_unfinished(  # noqa: ASYNC110  a worker moves it on
                asked.organization_id, resource_id
            ):
                await asyncio.sleep(0.02)
            await recorder.write(VERIFY_WORKFLOW, "verifies", asked.workflow_id)
            await client.get_schedule_handle(TICK).trigger()
            ticks = [tick async for tick in client.list_workflows('WorkflowType = "control.tick"')]
            while not ticks:
                await asyncio.sleep(0.1)
                ticks = [tick async for tick in client.list_workflows('WorkflowType = "control.tick"')]
            await recorder.write("control.tick", "looks_after_the_areas", ticks[0].id)
            dispatching.cancel()
        await database.close()


def _without_places(said: object) -> object:
    """Leave out where it was recorded: no replay reads it."""
    match said:
        case {"kind": "TASK_QUEUE_KIND_STICKY", **rest}:
            return {
                **rest,
                "kind": "TASK_QUEUE_KIND_STICKY",
                "name": "sticky",
            }  # a host and a process id otherwise
        case dict():
            return {
                key: _without_places(value) for key, value in said.items() if key not in {"identity", "stackTrace"}
            }
        case list():
            return [_without_places(value) for value in said]
        case _:
            return said


async def _driver(services: Services) -> Driver:
    caller = await make_caller(services)
    files = {"main.tf": 'output "greeting" {\n  value = "hello"\n}\n'}
    return Driver(services, caller.scope, await publish_module(services, caller, files))


if __name__ == "__main__":
    try:
        working_on = unreleased_version(ROOT)
    except ValueError as refusal:
        sys.exit(str(refusal))
    with TemporaryDirectory() as name:
        asyncio.run(record(Path(name), working_on))
    sys.stdout.flush()
    os._exit(0)  # a process that held a Temporal client may die in the interpreter's own end
