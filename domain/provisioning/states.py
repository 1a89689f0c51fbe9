"""Life of a run: its states, the moves between them, and what older programs call them."""

from enum import StrEnum
from typing import Final


class RunState(StrEnum):
    """Where a run is; those of FINAL are for ever."""

    ACCEPTED = "accepted"
    QUEUED = "queued"
    PLANNING = "planning"
    AWAITING_APPROVAL = "awaiting_approval"
    APPLYING = "applying"
    RECOVERING = "recovering"
    APPLIED = "applied"
    PLANNED = "planned"
    FAILED = "failed"
    CANCELED = "canceled"
    REJECTED = "rejected"
    TIMED_OUT = "timed_out"
    NEEDS_ATTENTION = "needs_attention"


class Decision(StrEnum):
    """What a person said to a plan."""

    APPROVED = "approved"
    REJECTED = "rejected"


class RunPriority(StrEnum):
    """What the submitter says of a run's urgency: kept and shown; the queue goes by order of coming."""

    LOW = "low"
    STANDARD = "standard"
    HIGH = "high"
    CRITICAL = "critical"


_S = RunState
TRANSITIONS: Final[dict[RunState, frozenset[RunState]]] = {
    _S.ACCEPTED: frozenset({_S.QUEUED, _S.PLANNING, _S.CANCELED}),
    _S.QUEUED: frozenset({_S.PLANNING, _S.CANCELED}),
    _S.PLANNING: frozenset({_S.AWAITING_APPROVAL, _S.APPLYING, _S.PLANNED, _S.FAILED, _S.CANCELED, _S.TIMED_OUT}),
    _S.AWAITING_APPROVAL: frozenset({_S.APPLYING, _S.REJECTED, _S.FAILED, _S.CANCELED, _S.TIMED_OUT}),
    _S.APPLYING: frozenset({_S.APPLIED, _S.FAILED, _S.CANCELED, _S.TIMED_OUT, _S.RECOVERING}),
    _S.RECOVERING: frozenset(
        {_S.AWAITING_APPROVAL, _S.APPLYING, _S.APPLIED, _S.FAILED, _S.CANCELED, _S.NEEDS_ATTENTION}
    ),
}
"""From each state that is not final, the states a run may move to."""

FINAL: Final = frozenset(RunState) - frozenset(TRANSITIONS)
WORKING: Final = frozenset({_S.ACCEPTED, _S.QUEUED, _S.PLANNING, _S.APPLYING, _S.RECOVERING})
"""States in which an admitted run takes up one of its organization's permits; waiting for a person doesn't."""


class R1Status(StrEnum):
    """States of a job in R1's answers."""

    PENDING = "pending"
    QUEUED = "queued"
    PROVISIONING = "provisioning"
    COMPLETED = "completed"
    FAILED = "failed"


class R2Status(StrEnum):
    """States of a job in R2's answers."""

    PENDING = "pending"
    RUNNING = "running"
    SUCCESS = "success"
    FAILED = "failed"
    CANCELLED = "cancelled"
    DEAD_LETTER = "dead_letter"


def r1_status(state: RunState) -> R1Status:
    """Tell what R1 calls a state."""
    match state:
        case RunState.ACCEPTED:
            return R1Status.PENDING
        case RunState.QUEUED | RunState.AWAITING_APPROVAL:
            return R1Status.QUEUED
        case RunState.PLANNING | RunState.APPLYING | RunState.RECOVERING:
            return R1Status.PROVISIONING
        case RunState.APPLIED | RunState.PLANNED:
            return R1Status.COMPLETED
        case _:
            return R1Status.FAILED


def r2_status(state: RunState, *, retries_used_up: bool = False) -> R2Status:
    """Tell what R2 calls a state; a failed run whose retries are used up is a dead letter."""
    match state:
        case RunState.ACCEPTED | RunState.QUEUED:
            return R2Status.PENDING
        case RunState.PLANNING | RunState.AWAITING_APPROVAL | RunState.APPLYING | RunState.RECOVERING:
            return R2Status.RUNNING
        case RunState.APPLIED | RunState.PLANNED:
            return R2Status.SUCCESS
        case RunState.CANCELED:
            return R2Status.CANCELLED
        case RunState.NEEDS_ATTENTION:
            return R2Status.DEAD_LETTER
        case _:
            return R2Status.DEAD_LETTER if retries_used_up else R2Status.FAILED


class IllegalMove(Exception):
    """A bug: code asked for a move that the table does not have."""


def check_move(before: RunState, after: RunState) -> None:
    """Refuse a move that is not in TRANSITIONS.

    Raises:
        IllegalMove: there is no such move, or the run has ended.
    """
    if after not in TRANSITIONS.get(before, frozenset()):
        raise IllegalMove(f"a run does not go from {before} to {after}")
