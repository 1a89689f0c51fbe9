"""Steps whose run is stopped, or whose parts are killed: nothing made is lost, and no CLI is left at large."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from domain.provisioning.errors import RunnerDied
from domain.provisioning.failures import ErrorClass
from domain.provisioning.steps import ExitClass, InterruptReason, StepJob, StepLimits, StepOutcome
from integrations.engines.engine import StepFolder
from tests.workers.runner.conftest import FACTORY, LIMITS, Steps
from tests.workers.runner.waiting import is_running, parent_of, state_of, text_of, until
from workers.runner.pool import RunnerPool
from workers.runner.workspace import remove_folder

pytestmark = pytest.mark.servers

# One thing is made at once, another is made for as long as the test wants. It waits in a provisioner, which says
# when it does: a provider that is told to stop just before it is told to begin begins, and then the CLI waits.
LONG = {
    "main.tf": """
terraform {
  required_providers { time = { source = "registry.groundwork.test/hashicorp/time" } }
}
resource "time_sleep" "quick" { create_duration = "1ms" }
resource "terraform_data" "slow" {
  depends_on = [time_sleep.quick]
  provisioner "local-exec" { command = "echo is-waiting; exec sleep 120" }
}
"""
}
# Its provisioner stops the CLI itself, which then hears no interrupt.
DEAF = {
    "main.tf": """
resource "terraform_data" "deaf" {
  provisioner "local-exec" { command = "kill -STOP $PPID; sleep 120" }
}
"""
}
# It says for longer than SHORT_DEADLINE what fills a pipe in a second.
LOUD = {
    "main.tf": """
resource "terraform_data" "loud" {
  provisioner "local-exec" {
    command = "for i in $(seq 50); do printf '%s is-loud %020000d\\\\n' $i 0; sleep 0.1; done"
  }
}
"""
}
IS_WAITING = b"(local-exec): is-waiting"
SHORT_GRACE = LIMITS.model_copy(update={"grace": timedelta(seconds=1)})
SHORT_DEADLINE = LIMITS.model_copy(update={"deadline": timedelta(seconds=3)})


@pytest.fixture
async def own_pool(recording_folder: object) -> AsyncIterator[RunnerPool]:
    """Make a pool whose runners may be killed."""
    assert recording_folder
    async with RunnerPool(FACTORY, slots=1) as made:
        yield made


class Running:
    """An apply that has made its quick resource and is busy with the slow one."""

    def __init__(self, steps: Steps, job: StepJob, task: asyncio.Task[StepOutcome]) -> None:
        self.job = job
        self.task = task
        self.folder = StepFolder(job.folder)
        self.record = steps.record(job)

    @classmethod
    async def begin(
        cls,
        steps: Steps,
        module: dict[str, str] = LONG,
        busy: bytes = IS_WAITING,
        **fields: Any,  # noqa: ANN401  StepJob's own fields
    ) -> "Running":
        plan = steps.job(module)
        await steps.run(plan)
        job = steps.apply_of(plan, **fields)
        made = cls(steps, job, asyncio.create_task(steps.run(job)))
        await until(lambda: says(made.folder, busy))
        return made

    @property
    def cli(self) -> int:
        """Process id of the CLI that runs now."""
        started = [line for line in text_of(self.folder.report).splitlines() if line.startswith("started")]
        return int(started[-1].split()[1])

    @property
    def guard(self) -> int:
        return parent_of(self.cli)

    @property
    def runner(self) -> int:
        return parent_of(self.guard)

    @property
    def kept(self) -> list[str]:
        """Addresses in the newest state that was recorded."""
        return addresses(self.record.states[-1])


def says(folder: StepFolder, words: bytes) -> bool:
    return folder.log.exists() and words in folder.log.read_bytes()


def addresses(state: bytes) -> list[str]:
    return [f"{found['type']}.{found['name']}" for found in json.loads(state)["resources"] if found["instances"]]


class TestCancel:
    async def test_keeps_the_state_of_what_was_made(self, steps: Steps) -> None:
        running = await Running.begin(steps)
        steps.pool.interrupt(running.job.step_id, InterruptReason.CANCELED)
        outcome = await running.task
        assert (outcome.exit_class, outcome.reason) == (ExitClass.INTERRUPTED, InterruptReason.CANCELED)
        assert outcome.failure is not None
        assert outcome.failure.error_class is ErrorClass.USER_CANCEL
        assert "time_sleep.quick" in running.kept
        assert not running.folder.root.exists()

    async def test_is_heard_with_a_renewal_as_well(self, steps: Steps) -> None:
        running = await Running.begin(steps)
        running.record.answer_as("cancel")
        assert (await running.task).reason is InterruptReason.CANCELED

    async def test_before_the_cli_starts_starts_none(self, steps: Steps) -> None:
        plan = steps.job(LONG)
        steps.record(plan).answer_as("away")
        running = asyncio.create_task(steps.run(plan))
        await until(plan.folder.exists)
        steps.pool.interrupt(plan.step_id, InterruptReason.CANCELED)
        steps.record(plan).answer_again("away")
        outcome = await running
        assert (outcome.exit_class, outcome.exit_code) == (ExitClass.INTERRUPTED, None)
        assert steps.record(plan).log == b""

    async def test_of_a_step_that_waits_for_a_slot_is_not_lost(self, steps: Steps, own_pool: RunnerPool) -> None:
        mine = replace(steps, pool=own_pool)
        first, second = mine.job(LONG), mine.job(LONG)
        running = [asyncio.create_task(mine.run(job)) for job in (first, second)]
        await until(first.folder.exists)
        own_pool.interrupt(second.step_id, InterruptReason.CANCELED)
        outcomes = await asyncio.gather(*running)
        assert [outcome.exit_class for outcome in outcomes] == [ExitClass.SUCCEEDED, ExitClass.INTERRUPTED]
        assert mine.record(second).log == b""

    async def test_of_a_cli_that_does_not_stop_kills_it_after_the_grace(self, steps: Steps) -> None:
        running = await Running.begin(steps, DEAF, b"deaf: Provisioning with", limits=SHORT_GRACE)
        cli = running.cli
        await until(lambda: state_of(cli) == "T")
        steps.pool.interrupt(running.job.step_id, InterruptReason.CANCELED)
        outcome = await running.task
        assert (outcome.exit_class, outcome.reason) == (ExitClass.KILLED, InterruptReason.CANCELED)
        assert outcome.in_flight == ("terraform_data.deaf",)
        assert not is_running(cli)


class TestTimeout:
    async def test_stops_the_step(self, steps: Steps) -> None:
        plan = steps.job(LONG)
        await steps.run(plan)
        limits = LIMITS.model_copy(update={"timeout": timedelta(seconds=1)})
        outcome = await steps.run(steps.apply_of(plan, limits=limits))
        assert (outcome.exit_class, outcome.reason) == (ExitClass.TIMED_OUT, InterruptReason.TIMEOUT)


class TestALostLease:
    async def test_stops_the_step_and_keeps_what_was_made(self, steps: Steps) -> None:
        running = await Running.begin(steps)
        running.record.answer_as("lost")
        outcome = await running.task
        assert (outcome.exit_class, outcome.reason) == (ExitClass.LOST_LEASE, InterruptReason.LEASE_LOST)
        assert "time_sleep.quick" in running.kept

    async def test_before_the_cli_starts_starts_none(self, steps: Steps) -> None:
        plan = steps.job(LONG)
        steps.record(plan).answer_as("lost")
        outcome = await steps.run(plan)
        assert (outcome.exit_class, outcome.exit_code) == (ExitClass.LOST_LEASE, None)
        assert steps.record(plan).log == b""


class TestADatabaseThatIsAway:
    async def test_for_a_moment_costs_nothing(self, steps: Steps) -> None:
        running = await Running.begin(steps)
        running.record.answer_as("away")
        steps.pool.interrupt(running.job.step_id, InterruptReason.CANCELED)
        await until(lambda: "ended" in text_of(running.folder.report).splitlines()[-1])
        running.record.answer_again("away")
        outcome = await running.task
        assert outcome.stored
        assert len(running.record.log) == outcome.log_end
        assert "time_sleep.quick" in running.kept

    async def test_for_longer_than_the_deadline_stops_the_step_and_keeps_its_folder(self, steps: Steps) -> None:
        limits = SHORT_DEADLINE.model_copy(update={"grace": timedelta(seconds=2)})
        running = await Running.begin(steps, limits=limits)
        running.record.answer_as("away")
        outcome = await running.task
        assert (outcome.reason, outcome.stored) == (InterruptReason.LEASE_LOST, False)
        assert "time_sleep.quick" in addresses(running.folder.state.read_bytes())
        assert IS_WAITING in running.folder.log.read_bytes()
        remove_folder(running.folder)


class TestAKilledRunner:
    async def test_leaves_a_guard_that_interrupts_the_cli_and_is_replaced(
        self, steps: Steps, own_pool: RunnerPool
    ) -> None:
        mine = replace(steps, pool=own_pool)
        running = await Running.begin(mine)
        cli = running.cli
        os.kill(running.runner, signal.SIGKILL)
        with pytest.raises(RunnerDied):
            await running.task
        await until(lambda: not is_running(cli))
        await until(lambda: "ended 1 interrupted left" in text_of(running.folder.report))
        assert "time_sleep.quick" in addresses(running.folder.state.read_bytes())
        remove_folder(running.folder)
        assert (await mine.run(mine.job(LONG))).exit_class is ExitClass.SUCCEEDED

    async def test_that_was_idle_is_replaced_too(self, steps: Steps, own_pool: RunnerPool) -> None:
        [idle] = own_pool._idle
        os.kill(idle.pid, signal.SIGKILL)
        await until(lambda: not idle.is_alive)
        mine = replace(steps, pool=own_pool)
        assert (await mine.run(mine.job(LONG))).exit_class is ExitClass.SUCCEEDED


class TestAStoppedRunner:
    async def test_loses_the_cli_to_the_guard_at_the_deadline(self, steps: Steps, own_pool: RunnerPool) -> None:
        running = await Running.begin(replace(steps, pool=own_pool), limits=SHORT_DEADLINE)
        cli, runner = running.cli, running.runner
        os.kill(runner, signal.SIGSTOP)
        await until(lambda: not is_running(cli))
        os.kill(runner, signal.SIGCONT)
        outcome = await running.task
        assert (outcome.exit_class, outcome.reason) == (ExitClass.LOST_LEASE, InterruptReason.LEASE_LOST)
        assert "time_sleep.quick" in running.kept


class Worker:
    """A worker in a process of its own, which can be stopped and killed."""

    def __init__(self, steps: Steps, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self._steps = steps

    @classmethod
    @asynccontextmanager
    async def start(cls, steps: Steps) -> AsyncIterator["Worker"]:
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.workers.runner.worker"), stdin=pipe, stdout=pipe
        )
        try:
            yield cls(steps, process)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()

    def begin(self, job: StepJob) -> None:
        order = self._steps.folder / f"{job.step_id}.json"
        order.write_text(job.model_dump_json())
        assert self.process.stdin is not None
        self.process.stdin.write(f"{order}\n".encode())

    async def hear(self) -> bytes:
        assert self.process.stdout is not None
        return await self.process.stdout.readline()

    async def begin_apply(self, module: dict[str, str], busy: bytes, **limits: StepLimits) -> StepJob:
        """Plan and begin to apply; its lease begins when the worker and its runner are ready."""
        plan = self._steps.job(module)
        self.begin(plan)
        await self.hear()
        job = self._steps.apply_of(plan, **limits)
        self.begin(job)
        await until(lambda: says(StepFolder(job.folder), busy))
        return job


class TestAKilledWorker:
    async def test_leaves_a_runner_that_interrupts_keeps_and_records(self, steps: Steps) -> None:
        async with Worker.start(steps) as worker:
            job = await worker.begin_apply(LONG, IS_WAITING)
            worker.process.kill()
        record = steps.record(job)
        await until(lambda: record.result is not None)
        result = steps.result(job)
        assert (result.exit_class, result.reason) == (ExitClass.INTERRUPTED, InterruptReason.WORKER_GONE)
        assert "time_sleep.quick" in addresses(record.states[-1])
        assert len(record.log) == result.log_end
        await until(lambda: not job.folder.exists())


class TestAStoppedWorker:
    async def test_holds_up_neither_lease_nor_log_and_hears_the_outcome_when_it_goes_on(
        self, steps: Steps
    ) -> None:
        async with Worker.start(steps) as worker:
            job = await worker.begin_apply(LOUD, b"is-loud", limits=SHORT_DEADLINE)
            record = steps.record(job)
            worker.process.send_signal(signal.SIGSTOP)
            await until(lambda: record.result is not None)
            assert state_of(worker.process.pid) == "T"
            worker.process.send_signal(signal.SIGCONT)
            said = await worker.hear()
        result = steps.result(job)
        assert (result.exit_class, result.reason) == (ExitClass.SUCCEEDED, None)
        assert len(record.log) == result.log_end
        assert str(result.step_id).encode() in said


class TestAKilledCli:
    async def test_is_told_from_a_failed_one(self, steps: Steps) -> None:
        running = await Running.begin(steps)
        os.kill(running.cli, signal.SIGKILL)
        outcome = await running.task
        assert (outcome.exit_class, outcome.exit_code, outcome.reason) == (ExitClass.KILLED, None, None)
        assert outcome.in_flight == ("terraform_data.slow",)
        assert b'"id_value"' in running.record.log  # where the state has nothing yet, the log has


class TestAKilledGuard:
    async def test_stops_the_cli_all_the_same(self, steps: Steps) -> None:
        running = await Running.begin(steps)
        os.kill(running.guard, signal.SIGKILL)
        outcome = await running.task
        assert outcome.exit_class is ExitClass.KILLED
        assert "time_sleep.quick" in running.kept


class TestClosingThePool:
    async def test_interrupts_what_runs_and_keeps_it(self, steps: Steps) -> None:
        async with RunnerPool(FACTORY, slots=1) as pool:
            running = await Running.begin(replace(steps, pool=pool))
        outcome = await running.task
        assert (outcome.exit_class, outcome.reason) == (ExitClass.INTERRUPTED, InterruptReason.WORKER_GONE)
        assert "time_sleep.quick" in running.kept

    async def test_a_caller_that_is_cancelled_stops_nothing(self, steps: Steps) -> None:
        plan = steps.job(LONG)
        caller = asyncio.create_task(steps.run(plan))
        await until(plan.folder.exists)
        caller.cancel()
        with pytest.raises(asyncio.CancelledError):
            await caller
        await until(lambda: steps.record(plan).result is not None)
        assert steps.result(plan).exit_class is ExitClass.SUCCEEDED
