"""The runner: a child of a worker, kept warm, that does one step after the other.

It lives in a process of its own so that a step outlives a worker that dies: when the worker's end of its pipe
closes, the running step is interrupted once, everything is kept, the outcome is recorded, and the runner ends.
"""

import asyncio
import importlib
import os
import resource
import signal
import sys
from typing import Final, NoReturn

import structlog
from pydantic import ValidationError

from config.exit import end_process
from config.logging import configure_logging
from config.settings import LoggingSettings
from domain.deployments.sources import EngineName
from domain.provisioning.steps import InterruptReason, StepJob, StepProgress
from integrations.engines.engine import Engine
from integrations.engines.terraform import open_engine
from workers.runner.answers import Answers
from workers.runner.job import ORDER, Ended, Interrupt, Progress, Ready, Start
from workers.runner.recorder import RecorderFactory, Recorders
from workers.runner.step import Step

LONGEST_ORDER: Final = 64 * 1024 * 1024  # bytes of one line
log = structlog.get_logger(__name__)


class Engines:
    """Opens engines, each once: a CLI is asked for its version again only when its file has changed."""

    def __init__(self) -> None:
        """Begin with none."""
        self._opened: dict[tuple[EngineName, str, int], Engine] = {}

    async def get(self, job: StepJob) -> Engine:
        """Give the engine of a job.

        Raises:
            EngineUnusable: see open_engine.
        """
        try:
            changed = job.engine_path.stat().st_mtime_ns
        except OSError:
            changed = 0  # opening it says what is wrong
        key = (job.engine, str(job.engine_path), changed)
        if key not in self._opened:
            self._opened[key] = await open_engine(job.engine, job.engine_path)
        return self._opened[key]


class Runner:
    """Reads orders and does them; answers go to the pipe it was given."""

    def __init__(self, recorders: Recorders, answers: Answers) -> None:
        """Take the open recorders, and the pipe that the worker reads."""
        self._recorders = recorders
        self._answers = answers
        self._engines = Engines()
        self._step: Step | None = None
        self._working: asyncio.Task[None] | None = None

    async def serve(self, orders: asyncio.StreamReader) -> None:
        """Do what comes until the worker is gone, and then what is still being done."""
        self._answers.send(Ready())
        while line := await orders.readline():
            try:
                order = ORDER.validate_json(line)
            except ValidationError as error:
                # Never the input: it may be a secret. An order that isn't understood is a defect, so end loudly.
                log.critical("order_not_understood", errors=error.errors(include_input=False, include_url=False))
                break
            match order:
                case Start(job=job) if self._working is None or self._working.done():
                    # Here and not in the task: an interrupt may follow at once.
                    self._step = Step(job, self._engines.get, self._recorders.for_step(job), self._tell)
                    self._working = asyncio.create_task(self._work(job, self._step))
                case Start():
                    log.critical("busy")
                    break
                case Interrupt(reason=reason):
                    self._interrupt(reason)
        if self._working is not None and not self._working.done():
            self._interrupt(InterruptReason.WORKER_GONE)
            await self._working

    def _interrupt(self, reason: InterruptReason) -> None:
        if self._step is not None:
            self._step.interrupt(reason)

    async def _work(self, job: StepJob, step: Step) -> None:
        with structlog.contextvars.bound_contextvars(
            organization_id=str(job.organization_id), run_id=str(job.run_id)
        ):
            try:
                outcome = await step.run()
            finally:
                self._step = None
            self._answers.send(Ended(outcome=outcome))

    def _tell(self, progress: StepProgress) -> None:
        self._answers.send_if_read(Progress(progress=progress))


async def serve(factory: RecorderFactory) -> None:
    """Open the recorders and serve the worker at the other end of standard input and output."""
    loop = asyncio.get_running_loop()
    orders = asyncio.StreamReader(limit=LONGEST_ORDER)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    # Nothing but answers may reach the pipe, whatever a library prints.
    answers = await Answers.open(os.dup(1))
    os.dup2(2, 1)
    async with factory() as recorders:
        await Runner(recorders, answers).serve(orders)
    await answers.close()


def main(factory_path: str) -> NoReturn:
    """Run until the worker closes its end. Logs go to standard error; the factory may set up another form.

    Args:
        factory_path: `module:name` of a RecorderFactory.
    """
    # A terminal's Ctrl-C reaches the worker, which decides; core dumps would hold secrets.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    configure_logging(LoggingSettings())
    module, _, name = factory_path.partition(":")
    factory: RecorderFactory = getattr(importlib.import_module(module), name)
    asyncio.run(serve(factory))
    end_process(0)
