"""What operators read of runs in the log: a line for each move, and one for how each step ended."""

import pytest
import structlog

from domain.provisioning.failures import ErrorClass
from domain.provisioning.steps import ExitClass, StepFailure
from services.provisioning import moves
from tests.factories.runs import Driver, an_outcome

pytestmark = pytest.mark.servers


class TestLogLines:
    async def test_tell_where_a_run_went_and_how_its_steps_ended(self, driver: Driver) -> None:
        with structlog.testing.capture_logs() as lines:
            run = await driver.submit()
            step = await driver.admit(run)
            await driver.provisioning.steps.cli_started(driver.scope, step.step_id)
            failure = StepFailure(error_class=ErrorClass.AUTH, message="the cloud refused")
            failed = an_outcome(step.step_id, ExitClass.FAILED).model_copy(update={"failure": failure})
            await driver.provisioning.outcomes.record(driver.scope, failed, outputs={}, plan=None)
            await driver.provisioning.outcomes.record(driver.scope, failed, outputs={}, plan=None)  # told once
            await driver.advance(run)
            await driver.advance(run)
        whose = {"run_id": str(run.id), "organization_id": str(driver.scope.organization_id), "log_level": "info"}
        assert [line for line in lines if line["event"] in {"run_moved", "step_ended"}] == [
            whose | {"event": "run_moved", "from": "accepted", "to": "planning", "error_class": None},
            whose
            | {
                "event": "step_ended",
                "step_id": str(step.step_id),
                "phase": "plan",
                "attempt": 1,
                "exit_class": "failed",
                "error_class": "auth",
            },
            whose | {"event": "run_moved", "from": "planning", "to": "failed", "error_class": "auth"},
        ]

    async def test_tell_of_a_step_that_could_not_begin(self, driver: Driver) -> None:
        step = await driver.admit(await driver.submit())
        with structlog.testing.capture_logs() as lines:
            await driver.provisioning.steps.give_back(driver.scope, step.step_id, "no such engine", excused=False)
        [line] = lines
        assert (line["event"], line["phase"], line["reason"]) == ("step_given_back", "plan", "no such engine")

    async def test_tell_nothing_of_a_move_that_was_not_committed(
        self, driver: Driver, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        run = await driver.submit()
        await driver.provisioning.runs.cancel(driver.scope, run.id)

        async def fails(*_: object) -> None:
            raise RuntimeError("after the state was written")

        monkeypatch.setattr(moves, "free_and_admit", fails)
        with structlog.testing.capture_logs() as lines, pytest.raises(RuntimeError):
            await driver.advance(run)
        assert lines == []
