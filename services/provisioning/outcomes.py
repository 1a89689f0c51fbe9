"""Use cases on how steps ended: the outcome, the plan and the outputs, in one transaction under the fence."""

import asyncio
import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

import structlog

from domain.provisioning.steps import ExitClass, InterruptReason, StepOutcome, StepOutput, StepPhase
from domain.scope import Scope
from services.provisioning.fencing import hold_step
from services.provisioning.wakes import wake_of
from services.sealed_blobs import SealedBlobs
from services.secrets import Envelope, SealedKind
from storage import audit, outbox
from storage.database import Database, now
from storage.deployments import states
from storage.deployments.tables import StateVersionRow
from storage.provisioning import runs
from storage.provisioning.tables import RunOutputRow, RunRow, RunStepRow

_GOOD: Final = frozenset({ExitClass.SUCCEEDED, ExitClass.NO_CHANGES})
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class PlanFiles:
    """A saved plan as it came out of a step."""

    sha256: str
    plan: bytes
    lock_file: bytes | None
    text: str | None


class Outcomes:
    """Records how steps ended."""

    def __init__(self, database: Database, envelope: Envelope, blobs: SealedBlobs) -> None:
        """Take what the use cases need, made once at start-up."""
        self._database = database
        self._envelope = envelope
        self._blobs = blobs

    async def record(
        self,
        scope: Scope,
        outcome: StepOutcome,
        *,
        outputs: dict[str, StepOutput],
        plan: PlanFiles | None,
    ) -> None:
        """Record how a step ended, once; the workflow of its run reads it there. Again is harmless.

        Raises:
            StepSuperseded: the step has lost its deployment; nothing is recorded.
        """
        step_id = outcome.step_id
        blobs = {} if plan is None else await self._keep_plan(scope, step_id, plan)
        sensitive = {name: output.value for name, output in outputs.items() if output.sensitive}
        sealed = await self._envelope.seal_values(scope, SealedKind.RUN_OUTPUT, step_id, sensitive)
        async with self._database.transaction(scope) as session:
            step = await hold_step(session, scope, step_id, lease=False)
            if step.exit_class is not None:
                return
            run = await runs.get(session, scope.organization_id, step.run_id, lock=True)
            state = await states.newest(session, scope.organization_id, step.deployment_id)
            _write_outcome(step, outcome, moment=await now(session))
            if outcome.exposed_inputs:
                run.inputs = {n: value for n, value in run.inputs.items() if n not in outcome.exposed_inputs}
            if plan is not None:
                step.plan_sha256, step.plan_blob = plan.sha256, blobs[SealedKind.PLAN]
                step.lock_file_blob = blobs.get(SealedKind.LOCK_FILE)
                step.plan_text_blob = blobs.get(SealedKind.PLAN_TEXT)
                run.plan_step_id, run.plan_sha256 = step.id, plan.sha256
                run.plan_fingerprint = fingerprint(run, state)
                _forget_decision(run)
            if outcome.changes is not None:
                run.changes_add, run.changes_change = outcome.changes.add, outcome.changes.change
                run.changes_remove, run.changes_import = outcome.changes.remove, outcome.changes.imported
            session.add_all(
                RunOutputRow(
                    organization_id=scope.organization_id,
                    run_id=step.run_id,
                    name=name,
                    step_id=step.id,
                    sensitive=output.sensitive,
                    type=output.type,
                    # Left out, it is SQL's NULL; None would be JSON's, which is a value.
                    **({} if output.sensitive else {"value": output.value}),
                    sealed=sealed.get(name),
                )
                for name, output in outputs.items()
                if step.phase == StepPhase.APPLY
            )
            if run.finished_at is None:
                run.due_at = step.finished_at
            if outcome.reason is InterruptReason.WORKER_GONE:
                # The activity died with its worker: nobody else would tell the workflow before its heartbeat does.
                await outbox.enqueue(session, scope, wake_of(run))
            audit.record(
                session,
                scope,
                f"provisioning.{step.phase}_ended",
                ("run", run.id),
                outcome="success" if outcome.exit_class in _GOOD else "failure",
                exit_class=outcome.exit_class.value,
                step=step.id,
                worker=step.worker,
            )
        log.info(
            "step_ended",
            run_id=str(run.id),
            organization_id=str(run.organization_id),
            step_id=str(step.id),
            phase=str(step.phase),
            attempt=step.attempt,
            exit_class=str(outcome.exit_class),
            error_class=None if outcome.failure is None else str(outcome.failure.error_class),
        )

    async def _keep_plan(self, scope: Scope, step_id: UUID, plan: PlanFiles) -> dict[SealedKind, str]:
        files = {
            SealedKind.PLAN: plan.plan,
            SealedKind.LOCK_FILE: plan.lock_file,
            SealedKind.PLAN_TEXT: None if plan.text is None else plan.text.encode(),
        }
        there = {kind: data for kind, data in files.items() if data is not None}
        # Side by side: each waits for the disk, and then for the database.
        names = await asyncio.gather(
            *(self._blobs.keep(scope, kind, step_id, data) for kind, data in there.items())
        )
        return dict(zip(there, names, strict=True))


def _write_outcome(step: RunStepRow, outcome: StepOutcome, *, moment: datetime) -> None:
    step.finished_at = moment
    step.exit_class, step.exit_code = outcome.exit_class, outcome.exit_code
    step.interrupt_reason = outcome.reason
    step.changes = None if outcome.changes is None else outcome.changes.model_dump()
    if outcome.failure is not None:
        step.error_class, step.error_message = outcome.failure.error_class, outcome.failure.message
        step.error_address = outcome.failure.address
    step.in_flight = list(outcome.in_flight)
    step.last_serial, step.log_end = outcome.last_serial, outcome.log_end
    step.engine_version = outcome.engine_version


def _forget_decision(run: RunRow) -> None:
    """Let nobody have decided about a plan that nobody has seen; the audit events keep what was said before."""
    run.decision = run.decided_at = run.decided_by = run.decision_reason = run.decision_step_id = None


def is_plan_void(run: RunRow, newest: RunStepRow | None) -> bool:
    """Tell whether a late state came in since the run began to plan; `newest` is its newest step."""
    return run.plan_voided_round is not None and run.plan_voided_round >= (1 if newest is None else newest.round)


def fingerprint(run: RunRow, state: StateVersionRow | None) -> str:
    """Digest what a plan is made from: module, inputs and the state's serial."""
    serial = None if state is None else state.serial
    made_from = [run.module_digest, run.inputs, run.secret_input_names, str(run.secrets_run_id), serial]
    return hashlib.sha256(json.dumps(made_from, sort_keys=True).encode()).hexdigest()
