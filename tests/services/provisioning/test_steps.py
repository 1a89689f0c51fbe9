"""Steps as use cases: who may begin, who may still write, and that nothing that was kept is lost."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from domain.deployments.errors import StateUnreadable
from domain.errors import SealBroken
from domain.long_work import Priority
from domain.provisioning.errors import (
    NoDecisionAwaited,
    OutputsShown,
    PlanNotReady,
    StepRefused,
    StepSuperseded,
)
from domain.provisioning.failures import ErrorClass
from domain.provisioning.messages import StepOrder
from domain.provisioning.run_states import RunState
from domain.provisioning.runs import Run
from domain.provisioning.steps import (
    ExitClass,
    InterruptReason,
    StepOperation,
    StepOutput,
    StepPhase,
    StepProgress,
    StepStage,
)
from services.provisioning.steps import Assignment
from storage.database import Database
from tests.factories.runs import A_PLAN, WORKER, Driver, a_state, an_outcome
from tests.services.provisioning.test_runs import count, expire, rest

pytestmark = pytest.mark.servers


def order(driver: Driver, run: Run, *, phase: StepPhase = StepPhase.PLAN, attempt: int = 1) -> StepOrder:
    return StepOrder(
        organization_id=driver.scope.organization_id,
        run_id=run.id,
        phase=phase,
        attempt=attempt,
        priority=Priority.PLAN,
    )


async def lose_an_apply(driver: Driver, database: Database, deployment: str) -> Assignment:
    """Give the step of an apply that nobody saw the end of; a person has acknowledged its run."""
    run = await driver.submit(deployment=deployment, auto_apply=True)
    await driver.plan(run)
    step = await driver.admit(run)
    await driver.provisioning.steps.cli_started(driver.scope, step.step_id)
    await expire(database, driver.scope)
    await driver.advance(run)
    await driver.provisioning.runs.acknowledge(driver.scope, run.id)
    return step


class TestAdmit:
    async def test_of_ten_at_once_one_begins(self, driver: Driver) -> None:
        run = await driver.submit()
        await driver.advance(run)
        begun = await asyncio.gather(
            *(driver.provisioning.steps.admit(driver.scope, order(driver, run), WORKER) for _ in range(10)),
            return_exceptions=True,
        )
        assert sum(isinstance(answer, StepRefused) for answer in begun) == 9

    async def test_refuses_a_run_that_is_elsewhere(self, driver: Driver) -> None:
        run = await driver.submit()
        with pytest.raises(StepRefused, match="accepted"):
            await driver.provisioning.steps.admit(driver.scope, order(driver, run), WORKER)
        await driver.advance(run)
        with pytest.raises(StepRefused, match="planning"):
            await driver.provisioning.steps.admit(driver.scope, order(driver, run, phase=StepPhase.APPLY), WORKER)

    async def test_refuses_an_attempt_that_is_over(self, driver: Driver, database: Database) -> None:
        run = await driver.submit()
        await driver.admit(run)
        await expire(database, driver.scope)
        with pytest.raises(StepRefused, match="over"):
            await driver.provisioning.steps.admit(driver.scope, order(driver, run), WORKER)
        await driver.provisioning.steps.admit(driver.scope, order(driver, run, attempt=2), WORKER)

    async def test_refuses_while_another_lease_is_live(self, driver: Driver) -> None:
        run = await driver.submit()
        await driver.admit(run)
        with pytest.raises(StepRefused, match="live"):
            await driver.provisioning.steps.admit(driver.scope, order(driver, run, attempt=2), WORKER)

    async def test_refuses_a_phase_that_has_an_outcome(self, driver: Driver) -> None:
        run = await driver.submit()
        step = await driver.admit(run)
        await driver.provisioning.outcomes.record(
            driver.scope, an_outcome(step.step_id, ExitClass.FAILED), outputs={}, plan=None
        )
        with pytest.raises(StepRefused, match="over"):
            await driver.provisioning.steps.admit(driver.scope, order(driver, run, attempt=2), WORKER)

    async def test_refuses_a_run_whose_lock_somebody_took_away(self, driver: Driver, database: Database) -> None:
        run = await driver.submit()
        await driver.advance(run)
        async with database.transaction(driver.scope) as session:
            await session.execute(text("DELETE FROM deployment_lock"))
        with pytest.raises(StepRefused, match="hold"):
            await driver.provisioning.steps.admit(driver.scope, order(driver, run), WORKER)

    async def test_gives_back_a_step_whose_cli_never_started(self, driver: Driver, database: Database) -> None:
        run = await driver.submit()
        step = await driver.admit(run)
        await driver.provisioning.steps.give_back(driver.scope, step.step_id, "a reason", excused=False)
        await rest(database, driver.scope)
        assert (await driver.admit(run)).step_id != step.step_id

    async def test_a_started_step_is_not_given_back(self, driver: Driver) -> None:
        run = await driver.submit()
        step = await driver.admit(run)
        await driver.provisioning.steps.cli_started(driver.scope, step.step_id)
        await driver.provisioning.steps.give_back(driver.scope, step.step_id, "a reason", excused=False)
        assert (await driver.advance(run)).step is None

    async def test_hands_over_what_was_approved(self, driver: Driver) -> None:
        run = await driver.submit(inputs={"size": 3}, secret_inputs={"password": ["hunter2"]})
        await driver.plan(run)
        await driver.provisioning.runs.approve(driver.scope, run.id, None)
        assignment = await driver.admit(run)
        given = await driver.provisioning.materials.fetch(driver.scope, assignment)
        assert (given.plan, given.lock_file) == (b"the plan", b"the lock file")
        assert given.secret_inputs == {"password": ["hunter2"]}
        assert hashlib.sha256(given.module_archive).hexdigest() == assignment.module_digest
        assert assignment.plan is not None
        assert assignment.plan.sha256 == (await driver.look(run)).plan_sha256


class TestFence:
    async def test_a_superseded_step_writes_no_outcome_and_its_state_goes_aside(
        self, driver: Driver, database: Database
    ) -> None:
        run = await driver.submit(auto_apply=True)
        await driver.plan(run)
        lost = await driver.admit(run)
        await driver.provisioning.steps.cli_started(driver.scope, lost.step_id)
        await expire(database, driver.scope)
        assert (await driver.advance(run)).state is RunState.NEEDS_ATTENTION
        for late in (
            driver.provisioning.steps.renew(driver.scope, lost.step_id),
            driver.provisioning.steps.cli_started(driver.scope, lost.step_id),
            driver.provisioning.outcomes.record(driver.scope, an_outcome(lost.step_id), outputs={}, plan=None),
        ):
            with pytest.raises(StepSuperseded):
                await late
        kept = await driver.provisioning.step_states.store(driver.scope, lost.step_id, a_state(7))
        assert kept.quarantined
        await driver.provisioning.steps.store_log(driver.scope, lost.step_id, 0, b"late\n")
        assert await count(database, driver.scope, "state_version") == 0
        assert await count(database, driver.scope, "state_quarantine") == 1
        assert await count(database, driver.scope, "log_chunk") == 1
        assert (await driver.look(run)).state is RunState.NEEDS_ATTENTION

    async def test_a_late_state_takes_the_plan_away_that_waits_for_approval(
        self, driver: Driver, database: Database
    ) -> None:
        step = await lose_an_apply(driver, database, "one")
        following = await driver.submit(deployment="one")
        assert (await driver.plan(following)).state is RunState.AWAITING_APPROVAL
        await driver.provisioning.step_states.store(driver.scope, step.step_id, a_state(7))
        with pytest.raises(NoDecisionAwaited):
            await driver.provisioning.runs.approve(driver.scope, following.id, None)
        assert (await driver.advance(following)).state is RunState.FAILED
        assert (await driver.look(following)).error_class is ErrorClass.PLAN_STALE

    async def test_a_late_state_keeps_an_approved_plan_from_being_applied(
        self, driver: Driver, database: Database
    ) -> None:
        step = await lose_an_apply(driver, database, "one")
        following = await driver.submit(deployment="one", auto_apply=True)
        move = await driver.plan(following)
        assert move.step is not None
        await driver.provisioning.step_states.store(driver.scope, step.step_id, a_state(7))
        with pytest.raises(StepRefused, match="blocked"):
            await driver.provisioning.steps.admit(driver.scope, move.step, WORKER)
        assert (await driver.advance(following)).state is RunState.FAILED
        assert (await driver.look(following)).error_class is ErrorClass.PLAN_STALE

    async def test_a_late_plan_changes_no_run_that_has_a_newer_step_or_has_ended(
        self, driver: Driver, database: Database
    ) -> None:
        run = await driver.submit(operation=StepOperation.PLAN)
        late, record = await driver.admit(run), driver.provisioning.outcomes.record
        await driver.provisioning.steps.cli_started(driver.scope, late.step_id)
        await expire(database, driver.scope)
        newer = await driver.admit(run)
        other = replace(A_PLAN, sha256="cd" * 32)
        with pytest.raises(StepSuperseded):
            await record(driver.scope, an_outcome(late.step_id), outputs={}, plan=other)
        await record(driver.scope, an_outcome(newer.step_id), outputs={}, plan=A_PLAN)
        assert (await driver.advance(run)).state is RunState.PLANNED
        with pytest.raises(StepSuperseded):
            await record(driver.scope, an_outcome(late.step_id), outputs={}, plan=other)
        assert (await driver.look(run)).plan_sha256 == A_PLAN.sha256

    async def test_a_lease_that_has_ended_is_not_renewed(self, driver: Driver, database: Database) -> None:
        run = await driver.submit()
        step = await driver.admit(run)
        await expire(database, driver.scope)
        with pytest.raises(StepSuperseded):
            await driver.provisioning.steps.renew(driver.scope, step.step_id)

    async def test_an_outcome_after_the_lease_counts_while_nobody_took_over(
        self, driver: Driver, database: Database
    ) -> None:
        run = await driver.submit(auto_apply=True)
        step = await driver.admit(run)
        await driver.provisioning.steps.cli_started(driver.scope, step.step_id)
        await expire(database, driver.scope)
        await driver.provisioning.outcomes.record(
            driver.scope, an_outcome(step.step_id, ExitClass.NO_CHANGES), outputs={}, plan=None
        )
        assert (await driver.advance(run)).state is RunState.APPLYING

    async def test_a_write_left_open_holds_back_who_would_take_over(
        self, driver: Driver, database: Database
    ) -> None:
        run = await driver.submit()
        step = await driver.admit(run)
        async with database.transaction(driver.scope) as session:
            await session.execute(
                text("SELECT 1 FROM deployment WHERE step_id = :id FOR SHARE"), {"id": step.step_id}
            )
            await session.execute(text("UPDATE run_step SET lease_expires_at = now() - interval '1 second'"))
            taking_over = asyncio.create_task(
                driver.provisioning.steps.admit(driver.scope, order(driver, run, attempt=2), WORKER)
            )
            done, _ = await asyncio.wait({taking_over}, timeout=0.3)
            assert not done
        assert (await taking_over).step_id != step.step_id


class TestOutcome:
    async def test_the_first_one_stays(self, driver: Driver) -> None:
        run = await driver.submit()
        step = await driver.admit(run)
        for exit_class in (ExitClass.FAILED, ExitClass.SUCCEEDED):
            await driver.provisioning.outcomes.record(
                driver.scope, an_outcome(step.step_id, exit_class), outputs={}, plan=None
            )
        assert (await driver.advance(run)).state is RunState.FAILED

    async def test_wakes_the_workflow_when_the_worker_is_gone(self, driver: Driver, database: Database) -> None:
        run = await driver.submit()
        step = await driver.admit(run)
        async with database.platform("deliver what was asked for before") as session:
            await session.execute(text("DELETE FROM outbox"))
        gone = an_outcome(step.step_id, ExitClass.INTERRUPTED).model_copy(
            update={"reason": InterruptReason.WORKER_GONE}
        )
        await driver.provisioning.outcomes.record(driver.scope, gone, outputs={}, plan=None)
        assert await count(database, driver.scope, "outbox") == 1

    async def test_progress_is_shown_while_a_step_runs(self, driver: Driver) -> None:
        run = await driver.submit()
        await driver.admit(run)
        news = StepProgress(stage=StepStage.PLANNING, done=1, total=3, message="null_resource.a: creating")
        await driver.provisioning.steps.report_progress(driver.scope, run.id, news)
        seen = await driver.look(run)
        assert (seen.stage, seen.progress_done, seen.progress_total) == (StepStage.PLANNING, 1, 3)


class TestOneStepsWrites:
    async def test_at_once_hinder_each_other_not_at_all(self, driver: Driver) -> None:
        run = await driver.submit(auto_apply=True)
        await driver.plan(run)
        step_id = (await driver.admit(run)).step_id
        steps, scope = driver.provisioning.steps, driver.scope
        news = StepProgress(stage=StepStage.APPLYING, done=1, total=3, message="")
        for serial in range(1, 21):
            # A deadlock would be seen as an outage, one of them after a second.
            await asyncio.gather(
                driver.provisioning.step_states.store(scope, step_id, a_state(serial)),
                steps.renew(scope, step_id),
                steps.store_log(scope, step_id, serial, b"x"),
                steps.report_progress(scope, run.id, news),
                driver.advance(run),
                driver.provisioning.runs.get(scope, run.id),
            )


class TestStates:
    async def test_each_new_serial_is_the_newest_and_the_next_step_gets_it(self, driver: Driver) -> None:
        run = await driver.submit(deployment="one", auto_apply=True)
        await driver.plan(run)
        step = await driver.admit(run)
        await driver.provisioning.steps.cli_started(driver.scope, step.step_id)
        for serial in (1, 2, 2, 5):
            kept = await driver.provisioning.step_states.store(driver.scope, step.step_id, a_state(serial))
            assert (kept.serial, kept.quarantined) == (serial, False)
        await driver.provisioning.outcomes.record(driver.scope, an_outcome(step.step_id), outputs={}, plan=None)
        await driver.advance(run)
        listed = await driver.services.deployments.states.page(
            driver.scope, run.deployment_id, after=None, limit=9
        )
        assert [state.serial for state in listed] == [5, 2, 1]
        assignment = await driver.admit(await driver.submit(deployment="one"))
        given = await driver.provisioning.materials.fetch(driver.scope, assignment)
        assert given.state == a_state(5)

    async def test_the_index_of_blobs_knows_what_they_and_plans_are_kept_in(
        self, driver: Driver, database: Database
    ) -> None:
        run = await driver.submit(auto_apply=True)
        await driver.plan(run)
        step = await driver.admit(run)
        for serial in (2, 1):
            await driver.provisioning.step_states.store(driver.scope, step.step_id, a_state(serial))
        async with database.transaction(driver.scope) as session:
            named = (
                await session.scalars(
                    text(
                        "SELECT unnest(ARRAY[plan_blob, lock_file_blob, plan_text_blob]) FROM run_step"
                        " WHERE plan_blob IS NOT NULL"
                        " UNION ALL SELECT blob FROM state_version UNION ALL SELECT blob FROM state_quarantine"
                    )
                )
            ).all()
            known = (await session.scalars(text("SELECT sha256 FROM blob"))).all()
        assert len(named) == 5
        assert set(named) <= set(known)

    @pytest.mark.parametrize(
        ("data", "reason"), [(a_state(1), "serial"), (a_state(9, "another"), "lineage")], ids=["older", "foreign"]
    )
    async def test_what_does_not_fit_goes_aside_and_blocks(
        self, driver: Driver, database: Database, data: bytes, reason: str
    ) -> None:
        run = await driver.submit(auto_apply=True)
        await driver.plan(run)
        step = await driver.admit(run)
        await driver.provisioning.step_states.store(driver.scope, step.step_id, a_state(3))
        kept = await driver.provisioning.step_states.store(driver.scope, step.step_id, data)
        assert kept.quarantined
        async with database.transaction(driver.scope) as session:
            assert await session.scalar(text("SELECT reason FROM state_quarantine")) == reason
        deployment = await driver.services.deployments.deployments.get(driver.scope, run.deployment_id)
        assert deployment.blocked_by_run_id == run.id

    @pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"serial": "1", "lineage": "a"}', b'{"serial": 1}'])
    async def test_refuses_what_is_no_state(self, driver: Driver, data: bytes) -> None:
        run = await driver.submit()
        step = await driver.admit(run)
        with pytest.raises(StateUnreadable):
            await driver.provisioning.step_states.store(driver.scope, step.step_id, data)

    async def test_a_run_that_only_plans_can_not_write_one(self, driver: Driver, database: Database) -> None:
        run = await driver.submit(operation=StepOperation.PLAN)
        step = await driver.admit(run)
        assert (await driver.provisioning.step_states.store(driver.scope, step.step_id, a_state(1))).quarantined
        assert await count(database, driver.scope, "state_version") == 0


A_SECRET = StepOutput(value="hunter2-canary", type="string", sensitive=True)
AN_OUTPUT = StepOutput(value={"url": "https://a.example"}, type=["object", {"url": "string"}], sensitive=False)
NOTHING = StepOutput(value=None, type="string", sensitive=False)


class TestOutputs:
    async def test_sensitive_ones_are_shown_once_and_lie_nowhere_in_the_clear(
        self, driver: Driver, database: Database
    ) -> None:
        run = await driver.submit(auto_apply=True)
        await driver.plan(run)
        await driver.apply(run, outputs={"secret": A_SECRET, "site": AN_OUTPUT, "nothing": NOTHING})
        shown = await driver.provisioning.outputs.of_run(driver.scope, run.id)
        assert [(output.name, output.value) for output in shown] == [
            ("nothing", None),
            ("secret", None),
            ("site", {"url": "https://a.example"}),
        ]
        async with database.transaction(driver.scope) as session:
            rows = (await session.execute(text("SELECT to_jsonb(o)::text FROM run_output o"))).scalars().all()
        assert not any("hunter2-canary" in row for row in rows)
        assert await driver.provisioning.outputs.reveal(driver.scope, run.id) == {"secret": "hunter2-canary"}
        with pytest.raises(OutputsShown):
            await driver.provisioning.outputs.reveal(driver.scope, run.id)

    async def test_what_could_not_be_opened_does_not_count_as_shown(
        self, driver: Driver, owner: AsyncEngine
    ) -> None:
        run = await driver.submit(auto_apply=True)
        await driver.plan(run)
        await driver.apply(run, outputs={"secret": A_SECRET})
        turn_round = text("UPDATE run_output SET sealed = reverse(sealed) WHERE run_id = :id")
        async with owner.begin() as connection:
            await connection.execute(turn_round, {"id": run.id})
        with pytest.raises(SealBroken):
            await driver.provisioning.outputs.reveal(driver.scope, run.id)
        async with owner.begin() as connection:
            await connection.execute(turn_round, {"id": run.id})
        assert await driver.provisioning.outputs.reveal(driver.scope, run.id) == {"secret": "hunter2-canary"}

    async def test_of_ten_who_ask_at_once_one_sees_them(self, driver: Driver) -> None:
        run = await driver.submit(auto_apply=True)
        await driver.plan(run)
        await driver.apply(run, outputs={"secret": A_SECRET})
        answers = await asyncio.gather(
            *(driver.provisioning.outputs.reveal(driver.scope, run.id) for _ in range(10)), return_exceptions=True
        )
        assert sum(isinstance(answer, dict) for answer in answers) == 1

    async def test_a_plan_is_shown_as_its_cli_shows_it(self, driver: Driver) -> None:
        run = await driver.submit()
        with pytest.raises(PlanNotReady):
            await driver.provisioning.outputs.plan(driver.scope, run.id)
        await driver.plan(run)
        shown = await driver.provisioning.outputs.plan(driver.scope, run.id)
        assert (shown.sha256, shown.text) == (A_PLAN.sha256, "+ 1 to add")


@pytest.mark.usefixtures("walls")
class TestOtherOrganizations:
    async def test_can_not_write_to_a_step(self, make_driver: Callable[[], Awaitable[Driver]]) -> None:
        driver, stranger = await make_driver(), await make_driver()
        run = await driver.submit()
        step, steps, theirs = await driver.admit(run), driver.provisioning.steps, stranger.scope
        await steps.give_back(theirs, step.step_id, "a reason", excused=False)
        for attempt in (
            steps.cli_started(theirs, step.step_id),
            steps.renew(theirs, step.step_id),
            steps.store_log(theirs, step.step_id, 0, b"x"),
            driver.provisioning.outcomes.record(theirs, an_outcome(step.step_id), outputs={}, plan=None),
            driver.provisioning.step_states.store(theirs, step.step_id, a_state(1)),
        ):
            with pytest.raises(StepSuperseded):
                await attempt
        await steps.renew(driver.scope, step.step_id)
