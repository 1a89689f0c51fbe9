"""What a run does next, from what is known of it: the one rule, without I/O.

Services.provisioning gathers the facts under locks, asks `decide` until the run stays where it is, and writes
what it said. So a workflow that was lost, woken twice or started anew always goes on from the rows.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final, NamedTuple

from domain.provisioning.failures import ErrorClass
from domain.provisioning.run_states import Decision, RunState
from domain.provisioning.steps import ExitClass, StepOperation, StepPhase

PHASE_OF: Final = {
    RunState.PLANNING: StepPhase.PLAN,
    RunState.APPLYING: StepPhase.APPLY,
    RunState.RECOVERING: StepPhase.PLAN,
}
"""Of which phase a step may begin in a state; while a run recovers, that is the plan of the next round."""
MOST_ATTEMPTS: Final = 5
"""Attempts of a phase that were admitted and came to nothing, before the run is given up.

Those that failed for want of a server do not count: an outage delays a run and never fails it.
"""
PAUSES: Final = tuple(timedelta(seconds=seconds) for seconds in (1, 10, 60, 300))
"""Before the next attempt, after one that could not be prepared: longer with each."""
NOT_BEGUN: Final = frozenset({ExitClass.LOST_LEASE, ExitClass.INTERRUPTED, ExitClass.KILLED})
"""How a step may end through no fault of its own; without a CLI that was started, nothing has happened."""
RESTING: Final = timedelta(minutes=10)
"""How long a run waits without news before it asks again; news comes as a wake."""
MOMENT: Final = timedelta(milliseconds=200)
"""The least time between two questions about a lease that is just ending."""


@dataclass(frozen=True, slots=True)
class StepFacts:
    """The newest step of the run: of the phase that it is in, or of any phase while it recovers."""

    phase: StepPhase
    attempt: int
    exit_class: ExitClass | None
    cli_started: bool
    lease_left: timedelta | None
    """How long the lease still lasts by the database's clock; None when it has ended."""
    failures: int = 0
    """Attempts of the phase, this one among them, that came to nothing and count."""
    rest_left: timedelta | None = None
    """How long the next attempt has to wait; None when it may begin."""
    error_class: ErrorClass | None = None
    """What went wrong, where the step says so."""

    @property
    def is_over(self) -> bool:
        """Whether the phase has its outcome in this round."""
        return has_outcome(self.exit_class, cli_started=self.cli_started)


@dataclass(frozen=True, slots=True)
class Facts:
    """What stands in the rows of a run."""

    state: RunState
    operation: StepOperation
    auto_apply: bool
    admitted: bool
    untouched: bool = False
    """Whether nobody ever began to make anything of the deployment: then there is nothing to destroy."""
    cancel_requested: bool = False
    decision: Decision | None = None
    approval_left: timedelta | None = None
    """Until the approval times out; None when nobody is waited for, or the time is over."""
    step: StepFacts | None = None
    round: int = 1
    """The one it is in: 1 at first, the next when it plans anew. Each has one plan, decision and apply at most."""
    plan_stale: bool = False
    """Whether the plan was made from what is no longer so: it may not be applied, approved or not."""


class DueStep(NamedTuple):
    """A step that is to begin."""

    phase: StepPhase
    attempt: int
    round: int = 1


@dataclass(frozen=True, slots=True)
class Next:
    """What to do: move to a state, or stay and do one of the rest."""

    to: RunState | None = None
    failure: tuple[ErrorClass, str] | None = None
    """Why, when the move is to a failure that no step's outcome explains."""
    step: DueStep | None = None
    """Start this one."""
    interrupt: bool = False
    """Tell the running CLI to stop."""
    wait: timedelta = RESTING
    """When to ask again, unless woken before."""


STALE: Final = Next(
    RunState.FAILED,
    (
        ErrorClass.PLAN_STALE,
        "another state of the deployment came in after the plan was made, so it is not applied; plan again",
    ),
)
"""What becomes of a run whose plan can't be applied any more."""


def has_outcome(exit_class: ExitClass | None, *, cli_started: bool) -> bool:
    """Tell whether a step's end is its phase's; where nothing had begun, the phase is simply tried again."""
    return exit_class is not None and (cli_started or exit_class not in NOT_BEGUN)


def pause_after(attempt: int) -> timedelta:
    """Say how long to wait after an attempt that could not be prepared."""
    return PAUSES[min(attempt, len(PAUSES)) - 1]


def decide(facts: Facts) -> Next:
    """Say what a run that is not final does next."""
    match facts.state:
        case RunState.ACCEPTED | RunState.QUEUED:
            return _waiting(facts)
        case RunState.PLANNING:
            return _planning(facts)
        case RunState.AWAITING_APPROVAL:
            return _awaiting_approval(facts)
        case RunState.APPLYING:
            return _applying(facts)
        case RunState.RECOVERING:
            # What is known stands in the step's row, its log and the states; a person goes on from there.
            return Next(RunState.NEEDS_ATTENTION)
        case _:
            return Next()


def _waiting(facts: Facts) -> Next:
    if facts.cancel_requested:
        return Next(RunState.CANCELED)
    if facts.admitted:
        is_done = facts.untouched and facts.operation is StepOperation.DESTROY
        return Next(RunState.APPLIED if is_done else RunState.PLANNING)
    return Next(RunState.QUEUED) if facts.state is RunState.ACCEPTED else Next()


def _planning(facts: Facts) -> Next:
    step = facts.step
    if step is None or step.exit_class is None or not step.is_over:
        return _unfinished(facts, StepPhase.PLAN)
    match step.exit_class:
        case ExitClass.SUCCEEDED | ExitClass.NO_CHANGES:
            return _planned(facts, changes=step.exit_class is ExitClass.SUCCEEDED)
        case ended:
            return _stopped(facts, ended)


def _planned(facts: Facts, *, changes: bool) -> Next:
    """Decide on a plan that is there; without changes there is nothing to approve, and outputs to read."""
    if facts.cancel_requested:
        return Next(RunState.CANCELED)
    if facts.operation is StepOperation.PLAN:
        return Next(RunState.PLANNED)
    if facts.plan_stale:
        return STALE
    return Next(RunState.AWAITING_APPROVAL if changes and not facts.auto_apply else RunState.APPLYING)


def _awaiting_approval(facts: Facts) -> Next:
    if facts.cancel_requested:
        return Next(RunState.CANCELED)
    if facts.plan_stale and facts.decision is not Decision.REJECTED:
        return STALE
    match facts.decision:
        case Decision.APPROVED:
            return Next(RunState.APPLYING)
        case Decision.REJECTED:
            return Next(RunState.REJECTED)
        case None if facts.approval_left is None:
            return Next(RunState.TIMED_OUT, (ErrorClass.TIMEOUT, "nobody approved the plan in time"))
        case None:
            return Next(wait=max(facts.approval_left or MOMENT, MOMENT))


def _applying(facts: Facts) -> Next:
    step = facts.step
    if step is None or step.exit_class is None or not step.is_over:
        return _unfinished(facts, StepPhase.APPLY)
    match step.exit_class:
        case ExitClass.SUCCEEDED | ExitClass.NO_CHANGES:
            return Next(RunState.APPLIED)  # even if somebody asked to cancel: it is done
        case ExitClass.KILLED | ExitClass.LOST_LEASE:
            return Next(RunState.RECOVERING)  # nobody saw how it ended
        case ended:
            return _stopped(facts, ended)


def _unfinished(facts: Facts, phase: StepPhase) -> Next:
    """Decide on a phase whose newest step has no outcome, or that has no step yet."""
    step = facts.step
    if step is not None and step.lease_left is not None:
        return Next(wait=max(step.lease_left, MOMENT), interrupt=facts.cancel_requested)
    if step is not None and step.cli_started and phase is StepPhase.APPLY:
        return Next(RunState.RECOVERING)
    if facts.cancel_requested:
        return Next(RunState.CANCELED)
    if facts.plan_stale and phase is StepPhase.APPLY:
        return STALE
    return Next(step=DueStep(phase, 1, facts.round)) if step is None else _again(facts, phase, step)


def _again(facts: Facts, phase: StepPhase, step: StepFacts) -> Next:
    """Decide on a phase that came to nothing before anything had begun."""
    if step.failures >= MOST_ATTEMPTS:
        return Next(RunState.FAILED, (ErrorClass.TRANSIENT_INFRA, f"the {phase} could not be done on any worker"))
    if step.rest_left is not None:
        return Next(wait=max(step.rest_left, MOMENT))
    return Next(step=DueStep(phase, step.attempt + 1, facts.round))


def _stopped(facts: Facts, ended: ExitClass) -> Next:
    """Decide on a phase that ended without success, in a way that is known."""
    if facts.cancel_requested and ended is not ExitClass.FAILED:
        return Next(RunState.CANCELED)
    if ended is ExitClass.TIMED_OUT:
        return Next(RunState.TIMED_OUT)
    return Next(RunState.FAILED)
