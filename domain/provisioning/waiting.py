"""What a run waits for while nothing is done for it."""

from datetime import UTC, datetime
from enum import StrEnum
from uuid import UUID

from pydantic import BaseModel, Field

from domain.provisioning.run_states import RunState
from domain.provisioning.steps import StepPhase


class WaitsFor(StrEnum):
    """Who or what has to move first."""

    RUN = "run"
    LOCK = "lock"
    ACKNOWLEDGEMENT = "acknowledgement"
    PERMIT = "permit"
    APPROVAL = "approval"
    WORKER = "worker"
    SLOT = "slot"
    RETRY = "retry"
    DELIVERY = "delivery"


class Waiting(BaseModel, frozen=True):
    """Why a run does not go on by itself, and what would let it."""

    waits_for: WaitsFor
    reason: str = Field(description="The same as a sentence for people.")
    run_id: UUID | None = Field(default=None, description="The run that goes first, or that needs attention.")
    run_state: RunState | None = None
    queue: str | None = Field(
        default=None, description="The task queue that has no living worker, or no free slot."
    )
    retry_at: datetime | None = Field(default=None, description="When the phase is tried again.")


APPROVAL = Waiting(waits_for=WaitsFor.APPROVAL, reason="a person has to approve or reject its plan")
LOCK = Waiting(waits_for=WaitsFor.LOCK, reason="the deployment is locked, and by no run")
DELIVERY = Waiting(
    waits_for=WaitsFor.DELIVERY,
    reason="Temporal has not been told of it yet: it goes on by itself once that is done",
)
PERMIT = Waiting(
    waits_for=WaitsFor.PERMIT,
    reason="as many runs of the organization or of the environment are at work as may be at once",
)


def for_run(run_id: UUID, state: RunState, *, holds: bool) -> Waiting:
    """Wait for another run of the deployment: the one that holds it, or the one that comes first."""
    does = "has the deployment" if holds else "comes first"
    return Waiting(
        waits_for=WaitsFor.RUN, reason=f"run {run_id}, which is {state}, {does}", run_id=run_id, run_state=state
    )


def for_acknowledgement(run_id: UUID) -> Waiting:
    """Wait until a person has looked after what a run left."""
    reason = f"run {run_id} needs attention: a person has to acknowledge it"
    return Waiting(
        waits_for=WaitsFor.ACKNOWLEDGEMENT, reason=reason, run_id=run_id, run_state=RunState.NEEDS_ATTENTION
    )


def for_retry(phase: StepPhase, reason: str | None, at: datetime) -> Waiting:
    """Wait for the next attempt of a phase that could not be begun."""
    said = f"the {phase} could not be begun ({reason or 'nobody said why'})"
    return Waiting(
        waits_for=WaitsFor.RETRY,
        reason=f"{said}, and is tried again at {at.astimezone(UTC):%H:%M:%S} UTC",
        retry_at=at,
    )


def for_slot(queue: str) -> Waiting:
    """Wait for a worker of a queue to have room; that may be the next moment."""
    return Waiting(
        waits_for=WaitsFor.SLOT,
        reason=f"a worker of the queue {queue} takes it up as soon as one is free",
        queue=queue,
    )


def for_worker(queue: str) -> Waiting:
    """Wait for somebody who works on a queue."""
    return Waiting(
        waits_for=WaitsFor.WORKER, reason=f"no worker of the queue {queue} is there to go on with it", queue=queue
    )
