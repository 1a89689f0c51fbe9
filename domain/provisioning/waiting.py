"""What a run waits for while nothing is done for it."""

from enum import StrEnum
from uuid import UUID

from pydantic import BaseModel, Field

from domain.provisioning.run_states import RunState


class WaitsFor(StrEnum):
    """Who or what has to move first."""

    RUN = "run"
    LOCK = "lock"
    ACKNOWLEDGEMENT = "acknowledgement"
    PERMIT = "permit"
    APPROVAL = "approval"
    WORKER = "worker"


class Waiting(BaseModel, frozen=True):
    """Why a run does not go on by itself, and what would let it."""

    waits_for: WaitsFor
    reason: str = Field(description="The same as a sentence for people.")
    run_id: UUID | None = Field(default=None, description="The run that goes first, or that needs attention.")
    run_state: RunState | None = None
    queue: str | None = Field(default=None, description="The task queue that has no living worker.")


APPROVAL = Waiting(waits_for=WaitsFor.APPROVAL, reason="a person has to approve or reject its plan")
LOCK = Waiting(waits_for=WaitsFor.LOCK, reason="the deployment is locked, and by no run")
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


def for_worker(queue: str) -> Waiting:
    """Wait for somebody who works on a queue."""
    return Waiting(
        waits_for=WaitsFor.WORKER, reason=f"no worker of the queue {queue} is there to go on with it", queue=queue
    )
