"""The worker's side of its runners: kept warm, one for each slot."""

import asyncio
import contextlib
import sys
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self
from uuid import UUID

import structlog
from pydantic import BaseModel

from domain.provisioning.errors import RunnerDied
from domain.provisioning.steps import InterruptReason, StepJob, StepOutcome, StepProgress
from workers.runner.job import ANSWER, Answer, Ended, Interrupt, Progress, Ready, Start

_LONGEST_ANSWER: Final = 16 * 1024 * 1024
log = structlog.get_logger(__name__)


class RunnerPool:
    """Does steps in child processes. A step outlives its caller: cancelling `run` does not stop the CLI.

    Use it as a context; leaving it closes every runner's pipe, so that a step still running is interrupted and
    kept, and waits until all have ended.
    """

    def __init__(self, factory: str, slots: int) -> None:
        """Take the path of the recorders' factory and how many steps may run at once."""
        self._factory = factory
        self._slots = slots
        self._free = asyncio.Semaphore(slots)
        self._idle: list[_Runner] = []
        self._waiting: dict[UUID, InterruptReason | None] = {}
        self._busy: dict[UUID, _Runner] = {}
        self._driving: set[asyncio.Task[StepOutcome]] = set()
        self._is_closing = False

    async def __aenter__(self) -> Self:
        """Start a runner for each slot; they get ready by themselves."""
        self._idle = list(await asyncio.gather(*(_Runner.start(self._factory) for _ in range(self._slots))))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close all runners and wait for their end."""
        self._is_closing = True
        for runner in self._idle:
            runner.end()
        for runner in self._busy.values():
            runner.close()
        await asyncio.gather(*self._driving, return_exceptions=True)
        await asyncio.gather(*(runner.wait() for runner in self._idle))

    async def run(self, job: StepJob, on_progress: Callable[[StepProgress], None]) -> StepOutcome:
        """Do a step, when a slot is free. If the caller is cancelled, the step goes on and keeps its slot.

        Raises:
            RunnerDied: the runner ended without an answer. It says nothing about the CLI: see the step's row.
        """
        self._waiting[job.step_id] = None
        try:
            await self._free.acquire()
        except BaseException:
            del self._waiting[job.step_id]
            raise
        driving = asyncio.create_task(self._drive(job, on_progress))
        self._driving.add(driving)
        driving.add_done_callback(self._let_go)
        return await asyncio.shield(driving)

    @property
    def working(self) -> int:
        """How many steps are being done."""
        return len(self._driving)

    def interrupt(self, step_id: UUID, reason: InterruptReason) -> None:
        """Stop a step, also one that still waits for a slot; nothing happens if it has ended."""
        if step_id in self._busy:
            self._busy[step_id].send(Interrupt(reason=reason))
        elif step_id in self._waiting:
            self._waiting[step_id] = reason

    def _let_go(self, driving: asyncio.Task[StepOutcome]) -> None:
        self._driving.discard(driving)
        self._free.release()
        if not driving.cancelled():
            driving.exception()  # somebody who is cancelled does not fetch it, and that is no defect

    async def _drive(self, job: StepJob, on_progress: Callable[[StepProgress], None]) -> StepOutcome:
        try:
            runner = await self._take()
        finally:
            reason = self._waiting.pop(job.step_id)
        self._busy[job.step_id] = runner
        try:
            outcome = await runner.do(job, reason, on_progress)
        except RunnerDied:
            log.exception("runner_died", step_id=str(job.step_id), run_id=str(job.run_id))
            await runner.wait()
            if not self._is_closing:
                self._idle.append(await _Runner.start(self._factory))
            raise
        finally:
            del self._busy[job.step_id]
        self._idle.append(runner)
        if self._is_closing:
            runner.close()
        return outcome

    async def _take(self) -> "_Runner":
        """Take an idle runner that lives, or start one."""
        while self._idle:
            runner = self._idle.pop()
            if runner.is_alive:
                return runner
            await runner.wait()
        return await _Runner.start(self._factory)


class _Runner:
    """One child process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, factory: str) -> Self:
        """Start a child in a session of its own: a terminal's Ctrl-C is the worker's business."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "workers.runner", factory),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,
            limit=_LONGEST_ANSWER,
        )
        return cls(process)

    @property
    def is_alive(self) -> bool:
        """Tell whether it has ended, as far as is known."""
        return self._process.returncode is None

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    async def do(
        self, job: StepJob, reason: InterruptReason | None, on_progress: Callable[[StepProgress], None]
    ) -> StepOutcome:
        """Do a job to its end; with a reason, interrupt it at once, so that it is recorded as any other.

        Raises:
            RunnerDied: the child ended without an answer.
        """
        self.send(Start(job=job))
        if reason is not None:
            self.send(Interrupt(reason=reason))
        while True:
            answer = await self._hear()
            match answer:
                case Ended(outcome=outcome):
                    return outcome
                case Progress(progress=progress):
                    _tell(on_progress, progress)
                case Ready():
                    continue
                case None:
                    raise RunnerDied("the runner ended without an answer", step_id=str(job.step_id))

    def send(self, order: BaseModel) -> None:
        """Send an order; a child that is gone is noticed by what it does not answer."""
        if self._process.stdin is not None and not self._process.stdin.is_closing():
            self._process.stdin.write(order.model_dump_json().encode() + b"\n")

    def close(self) -> None:
        """Close the pipe: the child finishes what it does, interrupted, and ends."""
        if self._process.stdin is not None:
            self._process.stdin.close()

    def end(self) -> None:
        """End a child that does nothing; it may be seconds from hearing anything, since it still gets ready."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    async def wait(self) -> None:
        """Wait until the child has ended."""
        self.close()
        with contextlib.suppress(ProcessLookupError):
            await self._process.wait()

    async def _hear(self) -> Answer | None:
        if self._process.stdout is None:
            return None
        line = await self._process.stdout.readline()
        return ANSWER.validate_json(line) if line else None


def _tell(on_progress: Callable[[StepProgress], None], progress: StepProgress) -> None:
    try:
        on_progress(progress)
    except Exception:
        log.exception("progress_not_told")  # news that got lost must not lose the step
