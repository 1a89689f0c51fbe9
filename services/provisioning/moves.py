"""The one writer of a run's state, and of what hangs on it: the lock of its deployment and who is next in line."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog

from domain.ids import new_id
from domain.long_work import Priority
from domain.provisioning.decisions import PHASE_OF, Facts, Next, StepFacts, decide
from domain.provisioning.failures import ErrorClass
from domain.provisioning.messages import RunMove, RunReference, StepOrder
from domain.provisioning.run_states import FINAL, Decision, RunState, check_move
from domain.provisioning.steps import ExitClass, StepOperation, StepPhase
from domain.scope import Actor, ActorKind, Scope
from services.provisioning.admission import free_and_admit
from services.provisioning.outcomes import fingerprint, is_plan_void
from storage import audit
from storage.database import Database, Session, now
from storage.deployments import deployments, states
from storage.deployments.tables import DeploymentRow
from storage.provisioning import queue, runs, steps
from storage.provisioning.tables import RunRow, RunStepRow

APPROVAL_TIMEOUT: Final = timedelta(days=7)
PRIORITY_OF: Final = {StepPhase.PLAN: Priority.PLAN, StepPhase.APPLY: Priority.APPLY}
SUCCESS: Final = frozenset({RunState.APPLIED, RunState.PLANNED})
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Locked:
    """A run and its deployment, locked in the order that everybody keeps to."""

    run: RunRow
    deployment: DeploymentRow
    capacity: dict[str, int | None]


class RunMoves:
    """Moves runs on. Whatever moves one, it is from the rows: what a caller wishes plays no part."""

    def __init__(self, database: Database, *, approval_timeout: timedelta = APPROVAL_TIMEOUT) -> None:
        """Take what the use cases need, made once at start-up."""
        self._database = database
        self._approval_timeout = approval_timeout

    async def advance(self, reference: RunReference) -> RunMove:
        """Move a run on as far as it goes, and say what is to be done until somebody asks again.

        Asking twice, late, or of a run that has ended is harmless.

        Raises:
            RunNotFound.
        """
        scope = Scope(reference.organization_id, Actor(ActorKind.WORKFLOW, reference.workflow_id))
        moved: list[dict[str, str | None]] = []
        async with self._database.transaction(scope) as session:
            held = await _lock(session, reference)
            run = held.run
            while run.state not in FINAL:
                following = decide(await _facts(session, run))
                if following.to is None:
                    run.due_at = await now(session) + following.wait
                    break
                left = str(run.state)
                await self._enter(session, scope, held, following)
                moved.append(
                    {"from": left, "to": str(run.state), "error_class": run.error_class and str(run.error_class)}
                )
            else:
                following = Next()
            move = _move(run, following)
        for each in moved:  # not before it is committed
            log.info("run_moved", run_id=str(run.id), organization_id=str(run.organization_id), **each)
        return move

    async def _enter(self, session: Session, scope: Scope, held: _Locked, following: Next) -> None:
        """Write a move, and what belongs to it, in the session's transaction."""
        run, to = held.run, following.to
        if to is None:
            raise ValueError("there is no move to write")
        check_move(RunState(run.state), to)
        ended = _of_state(run, await steps.newest(session, run.organization_id, run.id))  # the state it leaves
        moment = await now(session)
        run.state, run.stage = to, None
        match to:
            case RunState.AWAITING_APPROVAL:
                run.approval_until = moment + self._approval_timeout
            case RunState.RECOVERING:
                held.deployment.step_id = new_id()  # whatever the lost step still writes comes too late
            case RunState.APPLIED:
                _note_applied(run, held.deployment, moment=moment)
            case RunState.NEEDS_ATTENTION:
                held.deployment.blocked_by_run_id = run.id
            case _:
                pass
        if to in FINAL:
            run.finished_at, run.due_at = moment, None
            run.error_class, run.error_message = _error(to, following, ended)
            audit.record(
                session,
                scope,
                f"provisioning.run_{to.value}",
                ("run", run.id),
                outcome="success" if to in SUCCESS else "failure",
                error_class=run.error_class,
            )
            await free_and_admit(session, scope, held.capacity)


async def _lock(session: Session, reference: RunReference) -> _Locked:
    organization_id = reference.organization_id
    deployment_id = (await runs.get(session, organization_id, reference.run_id)).deployment_id
    capacity = await queue.lock_permits(session, organization_id)
    deployment = await deployments.get(session, organization_id, deployment_id, lock=True)
    run = await runs.get(session, organization_id, reference.run_id, lock=True)
    return _Locked(run, deployment, capacity)


async def _facts(session: Session, run: RunRow) -> Facts:
    newest = await steps.newest(session, run.organization_id, run.id)
    step = _of_state(run, newest)
    left = None if run.approval_until is None else run.approval_until - await now(session)
    return Facts(
        state=RunState(run.state),
        operation=StepOperation(run.operation),
        auto_apply=run.auto_apply,
        admitted=run.admitted_at is not None,
        untouched=run.operation == StepOperation.DESTROY and await _is_untouched(session, run),
        cancel_requested=run.cancel_requested_at is not None,
        decision=None if run.decision is None else Decision(run.decision),
        approval_left=left if left is not None and left > timedelta() else None,
        step=None if step is None else await _step_facts(session, step),
        round=1 if newest is None else newest.round,
        plan_stale=await _is_stale(session, run, newest),
    )


async def _is_untouched(session: Session, run: RunRow) -> bool:
    """Tell whether nothing can be there of a deployment: it has no state, and no apply was ever begun."""
    deployment = (run.organization_id, run.deployment_id)
    return await states.newest(session, *deployment) is None and not await steps.any_apply_of(session, *deployment)


async def _is_stale(session: Session, run: RunRow, newest: RunStepRow | None) -> bool:
    """Tell whether a plan is not to be applied: a late state came in, or what it was made from has changed."""
    void = is_plan_void(run, newest)
    if void or run.plan_fingerprint is None:
        return void
    state = await states.newest(session, run.organization_id, run.deployment_id)
    return run.plan_fingerprint != fingerprint(run, state)


def _of_state(run: RunRow, newest: RunStepRow | None) -> RunStepRow | None:
    """Give the newest step if it tells what becomes of a run in its state."""
    if newest is None or run.state == RunState.RECOVERING:
        return newest
    return newest if newest.phase == PHASE_OF.get(RunState(run.state)) else None


async def _step_facts(session: Session, step: RunStepRow) -> StepFacts:
    return StepFacts(
        phase=StepPhase(step.phase),
        attempt=step.attempt,
        exit_class=None if step.exit_class is None else ExitClass(step.exit_class),
        cli_started=step.cli_started_at is not None,
        lease_left=None if step.finished_at else await steps.time_left(session, step.lease_expires_at),
        failures=await steps.count_failures(session, step),
        rest_left=None if step.retry_at is None else await steps.time_left(session, step.retry_at),
        error_class=None if step.error_class is None else ErrorClass(step.error_class),
    )


def _move(run: RunRow, following: Next) -> RunMove:
    order = None
    if following.step is not None:
        phase, attempt, in_round = following.step
        order = StepOrder(
            organization_id=run.organization_id,
            run_id=run.id,
            phase=phase,
            attempt=attempt,
            round=in_round,
            priority=PRIORITY_OF[phase],
        )
    return RunMove(
        state=RunState(run.state),
        environment=run.environment,
        step=order,
        interrupt=following.interrupt,
        wait=following.wait,
    )


def _note_applied(run: RunRow, deployment: DeploymentRow, *, moment: datetime) -> None:
    """Write into the deployment, which is locked, what it now is."""
    deployment.applied_run_id = run.id
    deployment.module_source, deployment.module_version = run.module_source, run.module_version
    deployment.engine, deployment.tags = run.engine, run.tags
    deployment.expires_at = run.expires_at
    deployment.destroyed_at = moment if run.operation == StepOperation.DESTROY else None


def _error(to: RunState, following: Next, ended: RunStepRow | None) -> tuple[ErrorClass | None, str | None]:
    """Say why a run did not get where it wanted."""
    if to in SUCCESS or to in {RunState.CANCELED, RunState.REJECTED}:
        return None, None
    if following.failure is not None:
        error_class, message = following.failure
        reason = None if ended is None else ended.error_message
        return error_class, message if reason is None else f"{message}: {reason}"
    if ended is not None and ended.error_class is not None:
        return ErrorClass(ended.error_class), ended.error_message
    if to is RunState.NEEDS_ATTENTION:
        return ErrorClass.UNKNOWN, (
            "nobody saw how the apply ended; the newest state and the log are kept: look at what was in flight, "
            "then acknowledge the run"
        )
    if to is RunState.TIMED_OUT:
        return ErrorClass.TIMEOUT, "the step took longer than it may; what was made is in the state"
    return ErrorClass.TRANSIENT_INFRA, "the worker stopped before the step was done; what was made is in the state"
