"""Runs and what happens to them without any CLI, for tests of the use cases."""

import json
from dataclasses import dataclass, replace
from uuid import UUID

from domain.ids import new_id
from domain.provisioning.events import ChangeSummary
from domain.provisioning.messages import RunMove, RunReference
from domain.provisioning.runs import Run
from domain.provisioning.steps import ExitClass, StepOutcome, StepOutput
from domain.scope import Scope
from services.all import Services
from services.provisioning.all import ProvisioningServices
from services.provisioning.outcomes import PlanFiles
from services.provisioning.steps import Assignment
from services.provisioning.submission import SubmitRun
from tests.factories.modules import Published

WORKER = "test/1"


def a_state(serial: int, lineage: str = "a-lineage") -> bytes:
    """Write a state file as a CLI would."""
    return json.dumps({"version": 4, "serial": serial, "lineage": lineage, "resources": []}).encode()


def an_outcome(step_id: UUID, exit_class: ExitClass = ExitClass.SUCCEEDED) -> StepOutcome:
    """Say how a step ended."""
    return StepOutcome(step_id=step_id, exit_class=exit_class, exit_code=0, changes=ChangeSummary(add=1))


A_PLAN = PlanFiles(sha256="ab" * 32, plan=b"the plan", lock_file=b"the lock file", text="+ 1 to add")


@dataclass(frozen=True, slots=True)
class Driver:
    """Does by hand, in one organization, what workflow, worker and runner do."""

    services: Services
    scope: Scope
    module: Published

    @property
    def provisioning(self) -> ProvisioningServices:
        """The use cases of runs."""
        return self.services.provisioning

    def request(self, **changes: object) -> SubmitRun:
        """Make a request for a deployment of its own."""
        made = SubmitRun(
            deployment=f"d-{new_id().hex}",
            module_source=self.module.source,
            module_version=self.module.version,
        )
        return replace(made, **changes)  # type: ignore[arg-type]  # names of its fields

    async def submit(self, **changes: object) -> Run:
        """Submit a run."""
        return await self.provisioning.runs.submit(self.scope, self.request(**changes), None)

    async def advance(self, run: Run) -> RunMove:
        """Ask what is next."""
        return await self.provisioning.moves.advance(self.reference(run))

    def reference(self, run: Run) -> RunReference:
        """Name the run as its workflow does."""
        return RunReference(organization_id=self.scope.organization_id, run_id=run.id)

    async def admit(self, run: Run) -> Assignment:
        """Admit the step that is due."""
        move = await self.advance(run)
        assert move.step is not None, move
        return await self.provisioning.steps.admit(self.scope, move.step, WORKER)

    async def plan(self, run: Run, exit_class: ExitClass = ExitClass.SUCCEEDED) -> RunMove:
        """Do the plan phase; give what is next."""
        step = await self.admit(run)
        await self.provisioning.steps.cli_started(self.scope, step.step_id)
        await self.provisioning.outcomes.record(
            self.scope,
            an_outcome(step.step_id, exit_class),
            outputs={},
            plan=None if exit_class is ExitClass.FAILED else A_PLAN,
        )
        return await self.advance(run)

    async def approve(self, run: Run) -> Run:
        """Let its plan be applied."""
        return await self.provisioning.runs.approve(self.scope, run.id, None)

    async def apply(
        self,
        run: Run,
        exit_class: ExitClass = ExitClass.SUCCEEDED,
        *,
        outputs: dict[str, StepOutput] | None = None,
        state: bytes | None = None,
        log: bytes = b"",
    ) -> RunMove:
        """Do the apply phase, with what it leaves; give what is next."""
        step = await self.admit(run)
        await self.provisioning.steps.cli_started(self.scope, step.step_id)
        if state is not None:
            await self.provisioning.step_states.store(self.scope, step.step_id, state)
        if log:
            await self.provisioning.steps.store_log(self.scope, step.step_id, 0, log)
        await self.provisioning.outcomes.record(
            self.scope, an_outcome(step.step_id, exit_class), outputs=outputs or {}, plan=None
        )
        return await self.advance(run)

    async def look(self, run: Run) -> Run:
        """Read the run again."""
        return await self.provisioning.runs.get(self.scope, run.id)
