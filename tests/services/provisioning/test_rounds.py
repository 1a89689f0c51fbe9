"""Rounds of a run: planning anew brings a plan of its own, that nobody has decided about and no old news voids."""

from dataclasses import replace

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from domain.long_work import Priority
from domain.provisioning.decisions import DueStep, Facts, Next, decide
from domain.provisioning.errors import NoDecisionAwaited, StepRefused
from domain.provisioning.failures import ErrorClass
from domain.provisioning.messages import StepOrder
from domain.provisioning.run_states import Decision, RunState
from domain.provisioning.runs import Run
from domain.provisioning.steps import ExitClass, StepFailure, StepPhase
from services.provisioning import moves
from services.provisioning.steps import Assignment
from storage.database import Database, violated
from tests.factories.runs import A_PLAN, WORKER, Driver, a_state, an_outcome
from tests.services.provisioning.test_runs import expire

pytestmark = pytest.mark.servers

ANOTHER_PLAN = replace(A_PLAN, sha256="cd" * 32, plan=b"another plan")


async def put(database: Database, driver: Driver, run: Run, state: RunState) -> None:
    """Put a run where what is built later will bring it."""
    async with database.transaction(driver.scope) as session:
        await session.execute(
            text("UPDATE run SET state = :state WHERE id = :id"), {"state": state.value, "id": run.id}
        )


async def admit(driver: Driver, run: Run, phase: StepPhase, in_round: int, attempt: int = 1) -> Assignment:
    order = StepOrder(
        organization_id=driver.scope.organization_id,
        run_id=run.id,
        phase=phase,
        attempt=attempt,
        priority=Priority.PLAN,
        round=in_round,
    )
    return await driver.provisioning.steps.admit(driver.scope, order, WORKER)


async def plan_again(driver: Driver, run: Run, in_round: int = 2) -> None:
    step = await admit(driver, run, StepPhase.PLAN, in_round)
    await driver.provisioning.outcomes.record(
        driver.scope, an_outcome(step.step_id), outputs={}, plan=ANOTHER_PLAN
    )


async def lost(driver: Driver, database: Database) -> tuple[Run, Assignment]:
    """Make a run that recovers from an approved apply which nobody saw end."""
    run = await driver.submit()
    await driver.plan(run)
    await driver.approve(run)
    step = await driver.admit(run)
    await driver.provisioning.steps.cli_started(driver.scope, step.step_id)
    await expire(database, driver.scope)
    await put(database, driver, run, RunState.RECOVERING)
    return run, step


class TestRound:
    async def test_of_a_run_that_recovers_plans_and_applies_anew(self, driver: Driver, database: Database) -> None:
        run, _ = await lost(driver, database)
        await plan_again(driver, run)
        await put(database, driver, run, RunState.AWAITING_APPROVAL)
        await driver.approve(run)
        move = await driver.advance(run)
        assert move.step is not None
        assert (move.step.phase, move.step.attempt, move.step.round) == (StepPhase.APPLY, 1, 2)
        assignment = await driver.admit(run)
        assert assignment.plan is not None
        assert assignment.plan.sha256 == ANOTHER_PLAN.sha256
        detail = await driver.provisioning.runs.detail(driver.scope, run.id)
        assert [(step.round, step.phase, step.attempt) for step in detail.steps] == [
            (1, StepPhase.PLAN, 1),
            (1, StepPhase.APPLY, 1),
            (2, StepPhase.PLAN, 1),
            (2, StepPhase.APPLY, 1),
        ]

    async def test_of_a_phase_that_failed_tries_it_again(self, driver: Driver) -> None:
        run = await driver.submit()
        failed = await driver.admit(run)
        await driver.provisioning.outcomes.record(
            driver.scope, an_outcome(failed.step_id, ExitClass.FAILED), outputs={}, plan=None
        )
        with pytest.raises(StepRefused, match="over"):
            await admit(driver, run, StepPhase.PLAN, 1, attempt=2)
        await plan_again(driver, run)
        assert (await driver.advance(run)).state is RunState.AWAITING_APPROVAL

    async def test_begins_wherever_the_rule_says_so_by_what_went_wrong(
        self, driver: Driver, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def again_when_throttled(facts: Facts) -> Next:
            if facts.step is None or facts.step.error_class is not ErrorClass.PROVIDER_THROTTLE:
                return decide(facts)
            return Next(step=DueStep(facts.step.phase, 1, facts.round + 1))

        monkeypatch.setattr(moves, "decide", again_when_throttled)
        run = await driver.submit()
        failed = an_outcome((await driver.admit(run)).step_id, ExitClass.FAILED)
        why = StepFailure(error_class=ErrorClass.PROVIDER_THROTTLE, message="slow down")
        throttled = failed.model_copy(update={"failure": why})
        await driver.provisioning.outcomes.record(driver.scope, throttled, outputs={}, plan=None)
        assert (await driver.plan(run)).state is RunState.AWAITING_APPROVAL

    async def test_that_is_behind_is_over(self, driver: Driver, database: Database) -> None:
        run, _ = await lost(driver, database)
        await plan_again(driver, run)
        for attempt in (1, 9):
            with pytest.raises(StepRefused, match="over"):
                await admit(driver, run, StepPhase.PLAN, 1, attempt)

    async def test_applies_no_plan_but_its_own(self, driver: Driver, database: Database) -> None:
        run, _ = await lost(driver, database)
        step = await admit(driver, run, StepPhase.PLAN, 2)
        await driver.provisioning.outcomes.record(
            driver.scope, an_outcome(step.step_id, ExitClass.NO_CHANGES), outputs={}, plan=None
        )
        await put(database, driver, run, RunState.APPLYING)
        assert (await admit(driver, run, StepPhase.APPLY, 2)).plan is None

    async def test_has_an_apply_only_where_the_run_applies(self, driver: Driver, database: Database) -> None:
        run, _ = await lost(driver, database)
        with pytest.raises(StepRefused, match="recovering"):
            await admit(driver, run, StepPhase.APPLY, 2)


class TestDecision:
    async def test_is_about_the_plan_that_was_shown_and_about_no_later_one(
        self, driver: Driver, database: Database
    ) -> None:
        run, _ = await lost(driver, database)
        assert (await driver.look(run)).decision is Decision.APPROVED
        await plan_again(driver, run)
        await put(database, driver, run, RunState.AWAITING_APPROVAL)
        assert (await driver.advance(run)).state is RunState.AWAITING_APPROVAL
        seen = await driver.look(run)
        assert (seen.decision, seen.decided_at, seen.decided_by) == (None, None, None)
        await driver.provisioning.runs.reject(driver.scope, run.id, "not like this")
        assert (await driver.advance(run)).state is RunState.REJECTED

    async def test_stays_with_no_other_plan_whoever_writes(self, driver: Driver, database: Database) -> None:
        run, other = await driver.submit(), await driver.submit()
        await driver.plan(run)
        await driver.approve(run)
        stolen = text("UPDATE run SET plan_step_id = (SELECT id FROM run_step WHERE run_id <> :id) WHERE id = :id")
        await driver.plan(other)
        with pytest.raises(IntegrityError) as refusal:
            async with database.transaction(driver.scope) as session:
                await session.execute(stolen, {"id": run.id})
        assert violated(refusal.value) == "ck_run_decided_plan"


class TestLateState:
    async def test_voids_no_plan_of_a_later_round(self, driver: Driver, database: Database) -> None:
        run, step = await lost(driver, database)
        await self._fence(driver, database, run)
        assert (await driver.provisioning.step_states.store(driver.scope, step.step_id, a_state(8))).quarantined
        await plan_again(driver, run)
        await put(database, driver, run, RunState.AWAITING_APPROVAL)
        assert (await driver.advance(run)).state is RunState.AWAITING_APPROVAL
        await driver.approve(run)
        assert (await driver.advance(run)).state is RunState.APPLYING

    async def test_voids_a_plan_that_is_just_being_made(self, driver: Driver, database: Database) -> None:
        run, step = await lost(driver, database)
        anew = await admit(driver, run, StepPhase.PLAN, 2)
        assert (await driver.provisioning.step_states.store(driver.scope, step.step_id, a_state(7))).quarantined
        await driver.provisioning.outcomes.record(
            driver.scope, an_outcome(anew.step_id), outputs={}, plan=ANOTHER_PLAN
        )
        await put(database, driver, run, RunState.AWAITING_APPROVAL)
        with pytest.raises(NoDecisionAwaited):
            await driver.approve(run)
        assert (await driver.advance(run)).state is RunState.FAILED

    @staticmethod
    async def _fence(driver: Driver, database: Database, run: Run) -> None:
        """Take the deployment away from the lost step, as the move to recovering does."""
        async with database.transaction(driver.scope) as session:
            await session.execute(
                text("UPDATE deployment SET step_id = NULL WHERE id = :id"), {"id": run.deployment_id}
            )
