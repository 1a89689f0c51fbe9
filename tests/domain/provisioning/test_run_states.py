"""The states of runs: what moves there are, and that deciding never makes another."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from domain.provisioning.decisions import MOST_ATTEMPTS, DueStep, Facts, Next, StepFacts, decide
from domain.provisioning.run_states import (
    FINAL,
    TRANSITIONS,
    Decision,
    IllegalMove,
    RunState,
    check_move,
)
from domain.provisioning.steps import ExitClass, StepOperation, StepPhase

steps = st.builds(
    StepFacts,
    phase=st.sampled_from(StepPhase),
    attempt=st.integers(1, MOST_ATTEMPTS + 1),
    exit_class=st.none() | st.sampled_from(ExitClass),
    cli_started=st.booleans(),
    lease_left=st.none() | st.timedeltas(timedelta(milliseconds=1), timedelta(minutes=1)),
    failures=st.integers(0, MOST_ATTEMPTS),
    rest_left=st.none() | st.timedeltas(timedelta(milliseconds=1), timedelta(minutes=5)),
)
facts = st.builds(
    Facts,
    state=st.sampled_from(RunState),
    operation=st.sampled_from(StepOperation),
    auto_apply=st.booleans(),
    admitted=st.booleans(),
    untouched=st.booleans(),
    cancel_requested=st.booleans(),
    decision=st.none() | st.sampled_from(Decision),
    approval_left=st.none() | st.timedeltas(timedelta(milliseconds=1), timedelta(days=7)),
    step=st.none() | steps,
    round=st.integers(1, 3),
    plan_stale=st.booleans(),
)


class TestDecide:
    @given(facts)
    def test_only_ever_moves_as_the_table_says(self, known: Facts) -> None:
        following = decide(known)
        if following.to is not None:
            check_move(known.state, following.to)

    @given(facts)
    def test_never_moves_what_has_ended(self, known: Facts) -> None:
        if known.state in FINAL:
            assert decide(known) == Next()

    @given(facts)
    def test_ends_without_a_cli_only_what_destroys_nothing(self, known: Facts) -> None:
        if known.state in {RunState.ACCEPTED, RunState.QUEUED} and decide(known).to is RunState.APPLIED:
            assert known.operation is StepOperation.DESTROY
            assert known.untouched
            assert known.admitted

    @given(facts)
    def test_starts_nothing_while_a_lease_is_live(self, known: Facts) -> None:
        if known.step is not None and known.step.lease_left is not None and known.step.exit_class is None:
            assert decide(known).step is None

    @given(facts)
    def test_never_repeats_an_apply_that_had_begun(self, known: Facts) -> None:
        if known.state is RunState.APPLYING and known.step is not None and known.step.cli_started:
            assert decide(known).step is None

    @given(facts)
    def test_never_applies_what_nobody_approved(self, known: Facts) -> None:
        if known.state is RunState.AWAITING_APPROVAL and known.decision is not Decision.APPROVED:
            assert decide(known).to is not RunState.APPLYING

    @given(facts)
    def test_never_begins_to_apply_a_stale_plan(self, known: Facts) -> None:
        following = decide(known)
        if known.plan_stale:
            assert following.to is not RunState.APPLYING
            assert following.step is None or following.step.phase is StepPhase.PLAN

    @given(facts)
    def test_begins_steps_in_the_round_that_the_run_is_in(self, known: Facts) -> None:
        due = decide(known).step
        assert due is None or due.round == known.round

    @given(facts)
    def test_always_waits_a_while_before_it_is_asked_again(self, known: Facts) -> None:
        assert decide(known).wait > timedelta()


class RunLife(RuleBasedStateMachine):
    """A run, and everything that can happen to it: whatever it is, the run comes to an end and stays there."""

    @initialize(operation=st.sampled_from(StepOperation), auto_apply=st.booleans())
    def submit(self, operation: StepOperation, auto_apply: bool) -> None:
        self.known = Facts(RunState.ACCEPTED, operation, auto_apply, admitted=False)
        self.history = [RunState.ACCEPTED]
        self.ordered: DueStep | None = None
        self.look()

    def look(self) -> None:
        """Do what services.provisioning.moves does: ask until the run stays."""
        while (following := decide(self.known)).to is not None:
            check_move(self.known.state, following.to)
            self.history.append(following.to)
            left = timedelta(days=7) if following.to is RunState.AWAITING_APPROVAL else None
            self.known = self.changed(state=following.to, step=None, approval_left=left)
        self.ordered = following.step

    def changed(self, **changes: object) -> Facts:
        return Facts(**{name: getattr(self.known, name) for name in Facts.__slots__} | changes)

    @precondition(lambda self: not self.known.admitted)
    @rule()
    def admit(self) -> None:
        self.known = self.changed(admitted=True)
        self.look()

    @precondition(lambda self: self.ordered is not None)
    @rule(started=st.booleans())
    def begin(self, started: bool) -> None:
        assert self.ordered is not None
        self.known = self.changed(
            step=StepFacts(self.ordered.phase, self.ordered.attempt, None, started, timedelta(seconds=60))
        )
        self.look()

    @precondition(lambda self: self.known.step is not None and self.known.step.exit_class is None)
    @rule(exit_class=st.sampled_from(ExitClass))
    def end(self, exit_class: ExitClass) -> None:
        assert self.known.step is not None
        step = self.known.step
        self.known = self.changed(step=StepFacts(step.phase, step.attempt, exit_class, True, None))
        self.look()

    @precondition(lambda self: self.known.step is not None and self.known.step.exit_class is None)
    @rule()
    def lose(self) -> None:
        assert self.known.step is not None
        step = self.known.step
        self.known = self.changed(step=StepFacts(step.phase, step.attempt, None, step.cli_started, None))
        self.look()

    @rule(decision=st.sampled_from(Decision))
    def decide_by_a_person(self, decision: Decision) -> None:
        if self.known.state is RunState.AWAITING_APPROVAL:
            self.known = self.changed(decision=decision)
            self.look()

    @rule()
    def time_out(self) -> None:
        self.known = self.changed(approval_left=None)
        self.look()

    @rule()
    def cancel(self) -> None:
        self.known = self.changed(cancel_requested=True)
        self.look()

    @invariant()
    def it_ends_at_most_once(self) -> None:
        ends = [state for state in getattr(self, "history", []) if state in FINAL]
        assert len(ends) <= 1

    @invariant()
    def every_wait_is_for_something(self) -> None:
        known = getattr(self, "known", None)
        if known is None or known.state in FINAL:
            return
        waits_for_admission = not known.admitted
        waits_for_a_person = known.state is RunState.AWAITING_APPROVAL
        live = known.step is not None and known.step.lease_left is not None
        assert waits_for_admission or waits_for_a_person or live or self.ordered is not None


TestRunLife = RunLife.TestCase


class TestTransitions:
    def test_every_state_can_be_reached(self) -> None:
        reached, waiting = {RunState.ACCEPTED}, [RunState.ACCEPTED]
        while waiting:
            for after in TRANSITIONS.get(waiting.pop(), frozenset()) - reached:
                reached.add(after)
                waiting.append(after)
        assert reached == set(RunState)

    @pytest.mark.parametrize("ended", sorted(FINAL))
    def test_ends_are_for_ever(self, ended: RunState) -> None:
        for state in RunState:
            with pytest.raises(IllegalMove):
                check_move(ended, state)
