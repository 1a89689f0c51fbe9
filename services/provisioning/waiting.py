"""What a run waits for: looked up when somebody asks, and stored nowhere."""

from collections.abc import Sequence
from datetime import datetime

from domain.long_work import CONTROL_QUEUE
from domain.operations import ALIVE, STUCK, queue_of
from domain.provisioning import waiting
from domain.provisioning.decisions import PHASE_OF
from domain.provisioning.run_states import FINAL, RunState
from domain.provisioning.steps import StepOperation, StepPhase
from domain.provisioning.waiting import Waiting
from services.provisioning.admission import has_room
from services.provisioning.outcomes import is_plan_void
from services.provisioning.wakes import wake_of
from storage import outbox
from storage.database import Session, now
from storage.deployments import deployments, locks
from storage.provisioning import queue, runs, workers
from storage.provisioning.tables import RunRow, RunStepRow


async def waiting_of(session: Session, run: RunRow, steps: Sequence[RunStepRow]) -> Waiting | None:
    """Tell what a run waits for; None if it has ended, or is being worked on, or its workflow has its turn.

    Args:
        session: of the run's organization.
        run: the run.
        steps: all of its steps, in their order.
    """
    if run.state in FINAL:
        return None
    if run.cancel_requested_at is None:
        if run.admitted_at is None:
            found = await _before_admission(session, run)
            if found is not None:
                return found
        elif _awaits_decision(run, steps):
            return waiting.APPROVAL
    moment = await now(session)
    newest = steps[-1] if steps else None
    if newest is not None and newest.finished_at is None:
        if newest.lease_expires_at > moment:
            return None
        if newest.retry_at is not None and newest.retry_at > moment and run.cancel_requested_at is None:
            return waiting.for_retry(StepPhase(newest.phase), newest.error_message, newest.retry_at)
    return await _before_a_step(session, run, newest, moment)


async def _before_a_step(
    session: Session, run: RunRow, newest: RunStepRow | None, moment: datetime
) -> Waiting | None:
    """Tell what an admitted run waits for while it has no step; the wake is asked about before the slots."""
    at_work = {name for row in await workers.seen_within(session, ALIVE) for name in row.queues}
    if CONTROL_QUEUE not in at_work:  # it gives every step out, and takes its outcome
        return waiting.for_worker(CONTROL_QUEUE)
    wake = await outbox.find(session, run.organization_id, wake_of(run).workflow_id)
    if wake is not None and (wake.last_error is not None or wake.created_at < moment - STUCK):
        return waiting.DELIVERY
    phase, queue_next = PHASE_OF.get(RunState(run.state)), queue_of(RunState(run.state))
    ended = newest is not None and newest.phase == phase and newest.finished_at is not None
    if phase is None or ended or run.cancel_requested_at is not None:
        return None
    return waiting.for_slot(queue_next) if queue_next in at_work else waiting.for_worker(queue_next)


def _awaits_decision(run: RunRow, steps: Sequence[RunStepRow]) -> bool:
    if run.state != RunState.AWAITING_APPROVAL or run.decision is not None:
        return False
    return not is_plan_void(run, steps[-1] if steps else None)


async def _before_admission(session: Session, run: RunRow) -> Waiting | None:
    if run.operation != StepOperation.PLAN:  # which takes no lock, and waits for none
        lock = await locks.find(session, run.organization_id, run.deployment_id)
        if lock is not None and lock.run_id is None:
            return waiting.LOCK
        if lock is not None and lock.run_id is not None:
            holder = await runs.get(session, run.organization_id, lock.run_id)
            return waiting.for_run(holder.id, RunState(holder.state), holds=True)
        deployment = await deployments.get(session, run.organization_id, run.deployment_id)
        if deployment.blocked_by_run_id is not None:
            return waiting.for_acknowledgement(deployment.blocked_by_run_id)
        first = await queue.first_in_line(session, run)
        if first is not None:
            return waiting.for_run(first.id, RunState(first.state), holds=False)
    capacity = await queue.permits(session, run.organization_id)
    at_work = await queue.working(session, run.organization_id)
    return None if has_room(capacity, at_work, run.environment) else waiting.PERMIT
