"""Life of a run: its states, and the moves between them."""

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
    _S.ACCEPTED: frozenset({_S.QUEUED, _S.PLANNING, _S.APPLIED, _S.CANCELED}),
    _S.QUEUED: frozenset({_S.PLANNING, _S.APPLIED, _S.CANCELED}),
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


class IllegalMove(Exception):
    """A bug: code asked for a move that the table does not have."""


def check_move(before: RunState, after: RunState) -> None:
    """Refuse a move that is not in TRANSITIONS.

    Raises:
        IllegalMove: there is no such move, or the run has ended.
    """
    if after not in TRANSITIONS.get(before, frozenset()):
        raise IllegalMove(f"a run does not go from {before} to {after}")
