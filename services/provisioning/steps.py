"""Use cases on the steps of runs: admitted on a worker, and from then on the runner's alone to write.

A step is admitted under its deployment's row lock and gets a token and a lease by the database's clock. How it
ended (services.provisioning.outcomes) and its states (services.provisioning.step_states) count only while the
token is the deployment's. Logs are taken from any step that ever had a lease.
"""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import structlog

from domain.deployments.sources import EngineName
from domain.ids import new_id
from domain.provisioning.decisions import PHASE_OF, has_outcome, pause_after
from domain.provisioning.errors import StepRefused, StepSuperseded
from domain.provisioning.inputs import Inputs
from domain.provisioning.messages import StepOrder
from domain.provisioning.run_states import RunState
from domain.provisioning.steps import ExitClass, StepOperation, StepPhase, StepProgress, StepStage
from domain.scope import Scope
from services.provisioning.fencing import hold_step
from storage.database import Database, Session, now
from storage.deployments import deployments, locks, states
from storage.provisioning import logs, runs, steps
from storage.provisioning.tables import RunRow, RunStepRow

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class StoredState:
    """A state in the blob store."""

    id: UUID
    blob: str
    serial: int


@dataclass(frozen=True, slots=True)
class StoredPlan:
    """A saved plan in the blob store, by the step that made it."""

    step_id: UUID
    sha256: str
    blob: str
    lock_file_blob: str | None


@dataclass(frozen=True, slots=True)
class Assignment:
    """A step that was admitted, with all it works on; where values are secret, only where they lie."""

    step_id: UUID
    run_id: UUID
    deployment_id: UUID
    phase: StepPhase
    operation: StepOperation
    engine: EngineName
    module_digest: str
    inputs: Inputs
    refuse_undeclared: bool
    secrets_run_id: UUID | None
    secret_input_names: tuple[str, ...]
    state: StoredState | None
    plan: StoredPlan | None
    show_plan: bool
    submitter_id: UUID | None
    """The person whose rights bound those of the run."""


@dataclass(frozen=True, slots=True)
class StepView:
    """What whoever finds a step's folder has to know of it."""

    organization_id: UUID
    run_id: UUID
    phase: StepPhase
    is_over: bool
    """It has an outcome, or its lease has ended."""
    log_end: int
    """How many bytes of its redacted log are stored."""


class Steps:
    """Admits steps, and keeps their leases, progress and logs."""

    def __init__(self, database: Database, *, lease: timedelta) -> None:
        """Take what the use cases need, and how long a lease lasts without a renewal."""
        self._database = database
        self._lease = lease

    async def admit(self, scope: Scope, order: StepOrder, worker: str) -> Assignment:
        """Let a step begin on a worker; the deployment is its own from now on, until its lease ends.

        Raises:
            RunNotFound.
            StepRefused: the run is not in that phase or does not hold its deployment, a lease is live, or the
                phase has an outcome or an attempt as high as the order's in its round, or a later round began.
        """
        organization_id = scope.organization_id
        async with self._database.transaction(scope) as session:
            deployment_id = (await runs.get(session, organization_id, order.run_id)).deployment_id
            deployment = await deployments.get(session, organization_id, deployment_id, lock=True)
            run = await runs.get(session, organization_id, order.run_id, lock=True)
            before = await steps.of_run(session, organization_id, run.id)
            fenced = run.operation != StepOperation.PLAN
            if order.phase is StepPhase.APPLY and deployment.blocked_by_run_id is not None:
                raise StepRefused("the deployment is blocked until a person has looked after it")
            await _check_admissible(session, run, before, order, fenced=fenced)
            if run.module_digest is None:
                raise StepRefused(f"no worker does a run from a {run.source_kind} yet")
            moment = await now(session)
            step = RunStepRow(
                organization_id=organization_id,
                id=new_id(),
                run_id=run.id,
                deployment_id=deployment_id,
                number=len(before) + 1,
                round=order.round,
                phase=order.phase,
                attempt=order.attempt,
                fenced=fenced,
                worker=worker,
                lease_expires_at=moment + self._lease,
            )
            session.add(step)
            if fenced:
                deployment.step_id = step.id
            run.started_at = run.started_at or moment
            run.due_at = step.lease_expires_at
            run.stage, run.progress_done, run.progress_total = StepStage.PREPARING, 0, None
            state = await states.newest(session, organization_id, deployment_id)
            return Assignment(
                step_id=step.id,
                run_id=run.id,
                deployment_id=deployment_id,
                phase=order.phase,
                operation=StepOperation(run.operation),
                engine=EngineName(run.engine),
                module_digest=run.module_digest,
                inputs=run.inputs,
                # R1 sends every tier all it knows of a customer; a module declares what it needs of that.
                refuse_undeclared=run.tier_id is None,
                secrets_run_id=run.secrets_run_id,
                secret_input_names=tuple(run.secret_input_names),
                state=None if state is None else StoredState(state.id, state.blob, state.serial),
                plan=_saved_plan(run, before, order) if order.phase is StepPhase.APPLY else None,
                show_plan=order.phase is StepPhase.PLAN and not run.auto_apply,
                submitter_id=_submitter(run),
            )

    async def give_back(self, scope: Scope, step_id: UUID, reason: str, *, excused: bool) -> None:
        """End the lease of a step that could not be prepared, so that nobody waits for it; the next one pauses.

        A step whose CLI was started keeps its lease.

        Args:
            scope: whose step it is.
            step_id: the token.
            reason: what was in the way, for whoever reads why the run was given up.
            excused: whether that is no failure of the step: a server was away, or the worker stops.
        """
        async with self._database.transaction(scope) as session:
            try:
                step = await steps.get(session, scope.organization_id, step_id, lock=True)
            except StepSuperseded:
                return
            if step.cli_started_at is not None or step.finished_at is not None:
                return
            step.lease_expires_at = await now(session)
            step.retry_at = step.lease_expires_at + pause_after(step.attempt)
            step.error_message, step.excused = reason, excused
        log.info(
            "step_given_back",
            run_id=str(step.run_id),
            organization_id=str(step.organization_id),
            step_id=str(step_id),
            phase=str(step.phase),
            attempt=step.attempt,
            reason=reason,
            excused=excused,
        )

    async def cli_started(self, scope: Scope, step_id: UUID) -> None:
        """Note that the CLI is about to start: from here on, a step that is lost is looked into, not repeated.

        Raises:
            StepSuperseded: the step has lost its lease or its deployment.
        """
        async with self._database.transaction(scope) as session:
            step = await hold_step(session, scope, step_id)
            if step.cli_started_at is None:
                step.cli_started_at = await now(session)

    async def renew(self, scope: Scope, step_id: UUID) -> bool:
        """Prolong the lease; tell whether somebody has asked for the run to stop.

        Raises:
            StepSuperseded: the step has lost its lease or its deployment.
        """
        async with self._database.transaction(scope) as session:
            step = await hold_step(session, scope, step_id)
            step.lease_expires_at = await now(session) + self._lease
            run = await runs.get(session, scope.organization_id, step.run_id, lock=True)
            if run.finished_at is None:
                run.due_at = step.lease_expires_at
            return run.cancel_requested_at is not None

    async def look_at(self, step_id: UUID) -> StepView:
        """Tell whose a step is, whether anybody may still be working on it, and how much of its log is stored.

        Raises:
            StepSuperseded: no step ever had this token.
        """
        async with self._database.platform("look after a step's folder") as session:
            step = await steps.find(session, step_id)
            return StepView(
                organization_id=step.organization_id,
                run_id=step.run_id,
                phase=StepPhase(step.phase),
                is_over=step.finished_at is not None or step.lease_expires_at <= await now(session),
                log_end=await logs.end_of_step(session, step.organization_id, step.run_id, step.number),
            )

    async def report_progress(self, scope: Scope, run_id: UUID, progress: StepProgress) -> None:
        """Show where a run is. Nothing is decided by it, and it gives way to whoever decides."""
        async with self._database.transaction(scope) as session:
            await runs.set_progress(
                session,
                scope.organization_id,
                run_id,
                stage=progress.stage,
                done=progress.done,
                total=progress.total,
                message=progress.message,
            )

    async def store_log(self, scope: Scope, step_id: UUID, offset: int, data: bytes) -> None:
        """Keep a piece of log, late or not; the same piece again is harmless.

        Raises:
            StepSuperseded: no step ever had this token.
        """
        async with self._database.transaction(scope) as session:
            step = await steps.get(session, scope.organization_id, step_id)
            await logs.add(session, scope.organization_id, step.run_id, step.number, offset=offset, data=data)


async def _check_admissible(
    session: Session, run: RunRow, before: list[RunStepRow], order: StepOrder, *, fenced: bool
) -> None:
    if PHASE_OF.get(RunState(run.state)) is not order.phase:
        raise StepRefused(f"the run is {run.state}", state=run.state)
    deployment = (run.organization_id, run.deployment_id)
    if fenced and not await locks.is_held_by_run(session, *deployment, run.id):
        raise StepRefused("the run does not hold its deployment")
    moment = await now(session)
    live = await steps.live_on(session, run.organization_id, run.deployment_id) if fenced else None
    if live is not None or any(step.finished_at is None and step.lease_expires_at > moment for step in before):
        raise StepRefused("another step's lease is live")
    for step in before:
        tried = step.round == order.round and step.phase == order.phase
        if step.round > order.round or (tried and (step.attempt >= order.attempt or _has_outcome(step))):
            raise StepRefused("this attempt is over", attempt=step.attempt, exit_class=step.exit_class)


def _has_outcome(step: RunStepRow) -> bool:
    exit_class = None if step.exit_class is None else ExitClass(step.exit_class)
    return has_outcome(exit_class, cli_started=step.cli_started_at is not None)


def _submitter(run: RunRow) -> UUID | None:
    person = run.requested_by.get("on_behalf_of")
    return None if person is None else UUID(person)


def _saved_plan(run: RunRow, before: list[RunStepRow], order: StepOrder) -> StoredPlan | None:
    """Give the plan that an apply is of: the one made in its own round."""
    for step in before:
        if step.id != run.plan_step_id or step.round != order.round:
            continue
        if step.plan_sha256 is not None and step.plan_blob is not None:
            return StoredPlan(step.id, step.plan_sha256, step.plan_blob, step.lock_file_blob)
    return None
