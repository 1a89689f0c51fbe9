"""Runs as use cases: in line, admitted, decided about, ended; many at once, and others' out of reach."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest
from sqlalchemy import text

from domain.deployments.errors import DeploymentNotFound
from domain.provisioning.decisions import MOST_ATTEMPTS, PAUSES
from domain.provisioning.errors import (
    NoAttentionNeeded,
    NoDecisionAwaited,
    PlanDiffers,
    RunEnded,
    RunNotFound,
)
from domain.provisioning.messages import RunReference
from domain.provisioning.run_states import Decision, RunState
from domain.provisioning.runs import RunFilter
from domain.provisioning.steps import ExitClass, StepOperation, StepPhase
from domain.scope import Scope
from storage.database import Database
from storage.provisioning import queue
from tests.factories.runs import A_PLAN, WORKER, Driver, a_state, an_outcome

pytestmark = pytest.mark.servers


async def count(database: Database, scope: Scope, table: str) -> int:
    async with database.transaction(scope) as session:
        counted: int = (await session.execute(text(f"SELECT count(*) FROM {table}"))).scalar_one()  # noqa: S608  a table's name
        return counted


class TestPermits:
    async def test_hold_an_organization_and_an_environment_to_their_numbers(
        self, driver: Driver, database: Database
    ) -> None:
        async with database.transaction(driver.scope) as session:
            await session.execute(
                text(
                    "INSERT INTO permit (organization_id, environment, capacity) "
                    "VALUES (:id, '', 3), (:id, 'production', 1)"
                ),
                {"id": driver.scope.organization_id},
            )
        environments = ["production", "production", "production", "staging", "staging"]
        made = await asyncio.gather(*(driver.submit(environment=name) for name in environments))
        admitted = [run for run in [await driver.look(one) for one in made] if run.admitted_at]
        assert len(admitted) == 3
        assert sum(run.environment == "production" for run in admitted) == 1

    async def test_a_full_environment_stands_in_no_others_way(
        self, driver: Driver, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(queue, "MOST_AT_ONCE", 3)
        async with database.transaction(driver.scope) as session:
            await session.execute(
                text("INSERT INTO permit (organization_id, environment, capacity) VALUES (:id, :name, :number)"),
                [
                    {"id": driver.scope.organization_id, "name": name, "number": number}
                    for name, number in (("", None), ("production", 1))
                ],
            )
        for _ in range(5):
            await driver.submit(environment="production")
        run = await driver.submit(environment="staging")
        assert (await driver.look(run)).admitted_at is not None

    async def test_the_end_of_a_run_admits_the_next(self, driver: Driver) -> None:
        first = await driver.submit(deployment="one")
        second = await driver.submit(deployment="one")
        assert (await driver.advance(second)).state is RunState.QUEUED
        await driver.provisioning.runs.cancel(driver.scope, first.id)
        assert (await driver.advance(first)).state is RunState.CANCELED
        assert (await driver.advance(second)).step is not None


class TestAdvance:
    async def test_goes_from_plan_over_approval_to_applied(self, driver: Driver) -> None:
        run = await driver.submit()
        assert (await driver.plan(run)).state is RunState.AWAITING_APPROVAL
        await driver.provisioning.runs.approve(driver.scope, run.id, "looks good")
        assert (await driver.apply(run)).state is RunState.APPLIED
        seen = await driver.look(run)
        assert seen.finished_at is not None
        assert seen.due_at is None
        assert (await driver.provisioning.runs.detail(driver.scope, run.id)).steps[-1].phase is StepPhase.APPLY

    async def test_applies_at_once_where_that_was_asked_for(self, driver: Driver) -> None:
        run = await driver.submit(auto_apply=True)
        move = await driver.plan(run)
        assert (move.state, move.step and move.step.phase) == (RunState.APPLYING, StepPhase.APPLY)

    async def test_without_changes_there_is_nothing_to_approve(self, driver: Driver) -> None:
        run = await driver.submit()
        assert (await driver.plan(run, ExitClass.NO_CHANGES)).state is RunState.APPLYING

    async def test_what_was_never_made_is_destroyed_without_a_cli(self, driver: Driver) -> None:
        await driver.plan(await driver.submit(deployment="one"), ExitClass.FAILED)
        destroy = await driver.submit(deployment="one", operation=StepOperation.DESTROY, module_source=None)
        move = await driver.advance(destroy)
        assert (move.state, move.step) == (RunState.APPLIED, None)
        services, found = driver.services.deployments, await driver.look(destroy)
        assert (await services.deployments.get(driver.scope, found.deployment_id)).destroyed_at is not None

    @pytest.mark.parametrize("state", [None, a_state(1)])
    async def test_what_may_have_been_made_is_destroyed_by_a_cli(
        self, driver: Driver, state: bytes | None
    ) -> None:
        run = await driver.submit(deployment="one", auto_apply=True)
        await driver.plan(run)
        await driver.apply(run, ExitClass.FAILED, state=state)
        destroy = await driver.submit(deployment="one", operation=StepOperation.DESTROY, module_source=None)
        assert (await driver.advance(destroy)).state is RunState.PLANNING

    async def test_a_run_that_only_plans_takes_no_lock(self, driver: Driver, database: Database) -> None:
        held = await driver.submit(deployment="one")
        preview = await driver.submit(deployment="one", operation=StepOperation.PLAN)
        assert (await driver.plan(preview)).state is RunState.PLANNED
        assert (await driver.advance(held)).step is not None
        assert await count(database, driver.scope, "deployment_lock") == 1

    async def test_asking_twenty_times_at_once_moves_it_once(self, driver: Driver, database: Database) -> None:
        run = await driver.submit()
        moves = await asyncio.gather(*(driver.advance(run) for _ in range(20)))
        assert {move.step for move in moves} == {moves[0].step}
        assert await count(database, driver.scope, "run_step") == 0

    async def test_a_lost_plan_is_done_again_and_a_lost_apply_is_not(
        self, driver: Driver, database: Database
    ) -> None:
        run = await driver.submit(auto_apply=True)
        lost = await driver.admit(run)
        await driver.provisioning.steps.cli_started(driver.scope, lost.step_id)
        await expire(database, driver.scope)
        again = await driver.advance(run)
        assert again.step is not None
        assert again.step.attempt == 2
        await driver.plan(run)
        lost = await driver.admit(run)
        await driver.provisioning.steps.cli_started(driver.scope, lost.step_id)
        await expire(database, driver.scope)
        assert (await driver.advance(run)).state is RunState.NEEDS_ATTENTION
        seen = await driver.look(run)
        assert "nobody saw" in (seen.error_message or "")

    async def test_what_needs_attention_holds_back_the_deployment_until_acknowledged(
        self, driver: Driver, database: Database
    ) -> None:
        run = await driver.submit(deployment="one", auto_apply=True)
        await driver.plan(run)
        lost = await driver.admit(run)
        await driver.provisioning.steps.cli_started(driver.scope, lost.step_id)
        await expire(database, driver.scope)
        await driver.advance(run)
        following = await driver.submit(deployment="one")
        assert (await driver.advance(following)).state is RunState.QUEUED
        await driver.provisioning.runs.acknowledge(driver.scope, run.id)
        assert (await driver.advance(following)).state is RunState.PLANNING
        with pytest.raises(NoAttentionNeeded):
            await driver.provisioning.runs.acknowledge(driver.scope, run.id)

    async def test_a_step_that_never_starts_is_given_up_in_the_end(
        self, driver: Driver, database: Database
    ) -> None:
        run = await driver.submit()
        for _ in range(5):
            step = await driver.admit(run)
            await driver.provisioning.steps.give_back(
                driver.scope, step.step_id, "there is no tofu here", excused=False
            )
            await rest(database, driver.scope)
        assert (await driver.advance(run)).state is RunState.FAILED
        seen = await driver.look(run)
        assert seen.error_message == "the plan could not be done on any worker: there is no tofu here"

    async def test_attempts_pause_longer_and_longer(self, driver: Driver, database: Database) -> None:
        run, waits = await driver.submit(), []
        for _ in range(3):
            step = await driver.admit(run)
            await driver.provisioning.steps.give_back(driver.scope, step.step_id, "a reason", excused=False)
            move = await driver.advance(run)
            assert move.step is None
            waits.append(move.wait)
            await rest(database, driver.scope)
        assert waits[0] <= PAUSES[0] < waits[1] <= PAUSES[1] < waits[2] <= PAUSES[2]

    async def test_what_failed_for_want_of_a_server_does_not_count(
        self, driver: Driver, database: Database
    ) -> None:
        run = await driver.submit()
        for _ in range(MOST_ATTEMPTS + 2):
            step = await driver.admit(run)
            await driver.provisioning.steps.give_back(driver.scope, step.step_id, "away", excused=True)
            await rest(database, driver.scope)
        assert (await driver.plan(run)).state is RunState.AWAITING_APPROVAL

    async def test_a_run_that_rests_is_canceled_at_once(self, driver: Driver) -> None:
        run = await driver.submit()
        step = await driver.admit(run)
        await driver.provisioning.steps.give_back(driver.scope, step.step_id, "a reason", excused=False)
        await driver.provisioning.runs.cancel(driver.scope, run.id)
        assert (await driver.advance(run)).state is RunState.CANCELED

    @pytest.mark.parametrize("exit_class", [ExitClass.LOST_LEASE, ExitClass.INTERRUPTED, ExitClass.KILLED])
    async def test_a_phase_whose_cli_never_started_is_done_again(
        self, driver: Driver, exit_class: ExitClass
    ) -> None:
        run = await driver.submit(auto_apply=True)
        for expected in (RunState.PLANNING, RunState.APPLYING):
            step = await driver.admit(run)
            await driver.provisioning.outcomes.record(
                driver.scope, an_outcome(step.step_id, exit_class), outputs={}, plan=None
            )
            move = await driver.advance(run)
            assert (move.state, move.step and move.step.attempt) == (expected, 2)
            move = await (driver.plan(run) if expected is RunState.PLANNING else driver.apply(run))
        assert move.state is RunState.APPLIED


async def rest(database: Database, scope: Scope) -> None:
    """Let all pauses be over."""
    async with database.transaction(scope) as session:
        await session.execute(text("UPDATE run_step SET retry_at = now()"))


async def expire(database: Database, scope: Scope) -> None:
    """Let all leases end now, as if nobody had renewed them."""
    async with database.transaction(scope) as session:
        await session.execute(
            text("UPDATE run_step SET lease_expires_at = now() - interval '1 second' WHERE finished_at IS NULL")
        )


class TestDecisions:
    async def test_a_second_approval_is_harmless_and_a_rejection_after_it_refused(self, driver: Driver) -> None:
        run = await driver.submit()
        await driver.plan(run)
        first = await driver.provisioning.runs.approve(driver.scope, run.id, None)
        again = await driver.provisioning.runs.approve(driver.scope, run.id, "me too")
        assert again.decided_at == first.decided_at
        with pytest.raises(NoDecisionAwaited):
            await driver.provisioning.runs.reject(driver.scope, run.id, None)

    async def test_of_approvals_and_rejections_at_once_one_kind_wins(self, driver: Driver) -> None:
        run = await driver.submit()
        await driver.plan(run)
        decide = (driver.provisioning.runs.approve, driver.provisioning.runs.reject)
        answers = await asyncio.gather(
            *(decide[n % 2](driver.scope, run.id, None) for n in range(10)), return_exceptions=True
        )
        assert sum(isinstance(answer, NoDecisionAwaited) for answer in answers) == 5

    async def test_a_decision_about_another_plan_is_refused(self, driver: Driver) -> None:
        run = await driver.submit()
        await driver.plan(run)
        for decide in (driver.provisioning.runs.approve, driver.provisioning.runs.reject):
            with pytest.raises(PlanDiffers):
                await decide(driver.scope, run.id, None, plan_sha256="cd" * 32)
        seen = await driver.provisioning.runs.approve(driver.scope, run.id, None, plan_sha256=A_PLAN.sha256)
        assert seen.decision is Decision.APPROVED

    async def test_nothing_is_decided_before_there_is_a_plan(self, driver: Driver) -> None:
        run = await driver.submit()
        with pytest.raises(NoDecisionAwaited):
            await driver.provisioning.runs.approve(driver.scope, run.id, None)

    async def test_a_rejected_run_ends_and_frees_its_deployment(self, driver: Driver) -> None:
        run = await driver.submit(deployment="one")
        await driver.plan(run)
        await driver.provisioning.runs.reject(driver.scope, run.id, "too big")
        assert (await driver.advance(run)).state is RunState.REJECTED
        assert (await driver.advance(await driver.submit(deployment="one"))).step is not None

    async def test_nobody_answering_in_time_ends_the_run(self, driver: Driver, database: Database) -> None:
        run = await driver.submit()
        await driver.plan(run)
        async with database.transaction(driver.scope) as session:
            await session.execute(text("UPDATE run SET approval_until = now()"))
        assert (await driver.advance(run)).state is RunState.TIMED_OUT


class TestCancel:
    async def test_racing_the_end_of_the_apply_leaves_one_truth(self, driver: Driver) -> None:
        run = await driver.submit(auto_apply=True)
        await driver.plan(run)
        step = await driver.admit(run)
        await driver.provisioning.steps.cli_started(driver.scope, step.step_id)
        finish = driver.provisioning.outcomes.record(driver.scope, an_outcome(step.step_id), outputs={}, plan=None)
        cancels = [driver.provisioning.runs.cancel(driver.scope, run.id) for _ in range(5)]
        await asyncio.gather(finish, *cancels, *(driver.advance(run) for _ in range(5)), return_exceptions=True)
        assert (await driver.advance(run)).state is RunState.APPLIED

    async def test_tells_a_running_step_to_stop(self, driver: Driver) -> None:
        run = await driver.submit()
        step = await driver.admit(run)
        assert await driver.provisioning.steps.renew(driver.scope, step.step_id) is False
        await driver.provisioning.runs.cancel(driver.scope, run.id)
        assert await driver.provisioning.steps.renew(driver.scope, step.step_id) is True
        assert (await driver.advance(run)).interrupt

    async def test_an_ended_run_can_not_be_canceled_and_a_canceled_one_can_again(self, driver: Driver) -> None:
        run = await driver.submit(auto_apply=True)
        await driver.plan(run)
        await driver.apply(run)
        with pytest.raises(RunEnded):
            await driver.provisioning.runs.cancel(driver.scope, run.id)
        other = await driver.submit()
        await driver.provisioning.runs.cancel(driver.scope, other.id)
        await driver.advance(other)
        assert (await driver.provisioning.runs.cancel(driver.scope, other.id)).state is RunState.CANCELED


@pytest.mark.usefixtures("walls")
class TestOtherOrganizations:
    async def test_find_nothing_and_change_nothing(self, make_driver: Callable[[], Awaitable[Driver]]) -> None:
        driver, stranger = await make_driver(), await make_driver()
        run = await driver.submit()
        await driver.plan(run)
        runs, theirs = driver.provisioning.runs, stranger.scope
        for attempt in (
            runs.get(theirs, run.id),
            runs.detail(theirs, run.id),
            runs.cancel(theirs, run.id),
            runs.approve(theirs, run.id, None),
            runs.reject(theirs, run.id, None),
            runs.acknowledge(theirs, run.id),
            driver.provisioning.outputs.of_run(theirs, run.id),
            driver.provisioning.outputs.plan(theirs, run.id),
            driver.provisioning.outputs.reveal(theirs, run.id),
            driver.provisioning.moves.advance(RunReference(organization_id=theirs.organization_id, run_id=run.id)),
        ):
            with pytest.raises(RunNotFound):
                await attempt
        with pytest.raises(DeploymentNotFound):
            await driver.services.deployments.deployments.get(theirs, run.deployment_id)
        with pytest.raises(DeploymentNotFound):
            await driver.services.deployments.states.page(theirs, run.deployment_id, after=None, limit=9)
        assert (await driver.look(run)).decision is None
        assert await runs.page(theirs, RunFilter(), after=None, limit=9) == []

    async def test_names_of_deployments_are_each_ones_own(
        self, make_driver: Callable[[], Awaitable[Driver]]
    ) -> None:
        one, other = await make_driver(), await make_driver()
        mine, theirs = await one.submit(deployment="same"), await other.submit(deployment="same")
        assert mine.deployment_id != theirs.deployment_id
        assert (await other.look(theirs)).admitted_at is not None

    async def test_steps_can_not_be_admitted(self, make_driver: Callable[[], Awaitable[Driver]]) -> None:
        driver, stranger = await make_driver(), await make_driver()
        run = await driver.submit()
        move = await driver.advance(run)
        assert move.step is not None
        with pytest.raises(RunNotFound):
            await driver.provisioning.steps.admit(stranger.scope, move.step, WORKER)


class TestPage:
    async def test_shows_what_the_filter_says_newest_first(self, driver: Driver) -> None:
        made = [
            await driver.submit(environment=name, tags={"team": team})
            for name, team in (("staging", "a"), ("production", "a"), ("production", "b"))
        ]
        page = driver.provisioning.runs.page
        everything = await page(driver.scope, RunFilter(), after=None, limit=9)
        assert [run.id for run in everything] == [run.id for run in reversed(made)]
        production = await page(driver.scope, RunFilter(environment="production"), after=None, limit=9)
        assert [run.id for run in production] == [made[2].id, made[1].id]
        tagged = await page(driver.scope, RunFilter(tag={"team": "a"}), after=None, limit=9)
        assert [run.id for run in tagged] == [made[1].id, made[0].id]
        behind = await page(driver.scope, RunFilter(), after=made[2].id, limit=1)
        assert [run.id for run in behind] == [made[1].id]

    async def test_a_run_is_overdue_by_the_databases_clock_alone(self, driver: Driver) -> None:
        run = await driver.submit()
        assert run.due_at is not None
        assert run.due_at - run.created_at < timedelta(seconds=1)
