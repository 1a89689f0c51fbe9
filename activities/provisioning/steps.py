"""The long side effect of a run's workflow: a step of it, done by a CLI."""

import asyncio
import contextlib
import shutil
import time
from collections.abc import AsyncIterator, Callable
from typing import Protocol, Self
from uuid import UUID

import structlog
from temporalio import activity

from activities.errors import maps_errors
from activities.provisioning.step_jobs import (
    GivenFolder,
    StepSettings,
    configuration,
    make_job,
    write_materials,
)
from domain.errors import PlatformError, Unavailable
from domain.provisioning.errors import EngineMissing, StepRefused
from domain.provisioning.messages import RunMove, RunReference, StepOrder, StepReport
from domain.provisioning.steps import (
    InterruptReason,
    StepJob,
    StepOutcome,
    StepProgress,
)
from domain.scope import Actor, ActorKind, Scope
from services.provisioning.materials import Materials
from services.provisioning.moves import RunMoves
from services.provisioning.run_keys import DrawnKey, RunKey, RunKeys
from services.provisioning.steps import Assignment, Steps

BEAT_SECONDS = 0.25
log = structlog.get_logger(__name__)


class Runners(Protocol):
    """Runs CLI steps, each in a process that outlives this one's mishaps."""

    async def run(self, job: StepJob, on_progress: Callable[[StepProgress], None]) -> StepOutcome:
        """Do a step and wait for its end."""
        ...

    def interrupt(self, step_id: UUID, reason: InterruptReason) -> None:
        """Tell a running step's CLI to stop."""
        ...


class StepActivities:
    """Does one phase of a run on this worker; one instance per worker process."""

    def __init__(
        self,
        moves: RunMoves,
        steps: Steps,
        materials: Materials,
        keys: RunKeys,
        *,
        runners: Runners,
        settings: StepSettings,
    ) -> None:
        """Take the use cases, and what runs the CLIs."""
        self._moves = moves
        self._steps = steps
        self._materials = materials
        self._keys = keys
        self._runners = runners
        self._settings = settings

    @activity.defn(name="provisioning.run_step")
    @maps_errors
    async def run_step(self, order: StepOrder) -> StepReport:
        """Admit the step, fetch what it works on, and have a runner do it.

        There is one attempt. However this ends, the step's row says what became of the step: a runner goes on
        without the activity, and records for itself.
        """
        scope = Scope(order.organization_id, Actor(ActorKind.RUN, str(order.run_id)))
        lease_started = time.clock_gettime(time.CLOCK_BOOTTIME)
        try:
            # Nobody waits for the drawing: it is done while the database answers.
            assignment, drawn = await asyncio.gather(
                self._steps.admit(scope, order, self._settings.worker), self._keys.draw()
            )
        except StepRefused as refusal:
            return StepReport(refused=refusal.detail)
        async with contextlib.AsyncExitStack() as stack:
            try:
                job = await self._prepare(stack, scope, assignment, drawn, lease_started)
            except BaseException as error:
                # Nothing has begun, so nobody needs to wait for the lease to end.
                await asyncio.shield(self._give_back(scope, assignment.step_id, error))
                raise
            outcome = await self._run(scope, job)
            _, move = await asyncio.gather(stack.aclose(), self._following(order))
        return StepReport(exit_class=outcome.exit_class, move=move)

    async def _give_back(self, scope: Scope, step_id: UUID, error: BaseException) -> None:
        reason = type(error).__name__
        if isinstance(error, PlatformError):
            reason = f"{error.detail} ({error.code})"
        # What is no Exception is a cancellation: the worker stops, or the run does.
        excused = isinstance(error, Unavailable) or not isinstance(error, Exception)
        await self._steps.give_back(scope, step_id, reason, excused=excused)

    async def _prepare(
        self,
        stack: contextlib.AsyncExitStack,
        scope: Scope,
        assignment: Assignment,
        drawn: DrawnKey,
        lease_started: float,
    ) -> StepJob:
        """Gather what the runner needs; the stack takes it away again."""
        if assignment.engine not in self._settings.engines:
            raise EngineMissing(f"there is no {assignment.engine} on {self._settings.worker}")
        folder = await stack.enter_async_context(self._folder(assignment.step_id))
        fetching = asyncio.create_task(self._materials.fetch(scope, assignment))
        try:
            key = await stack.enter_async_context(self._key(scope, assignment, drawn))
            materials = await fetching
        finally:
            fetching.cancel()
        terraformrc = configuration(self._settings, key)
        given = await asyncio.to_thread(write_materials, folder, materials, terraformrc)
        return make_job(self._settings, scope, assignment, given, key=key, lease_started=lease_started)

    async def _run(self, scope: Scope, job: StepJob) -> StepOutcome:
        """Wait for the runner, whatever happens to the activity meanwhile."""
        told = False

        def stop(reason: InterruptReason) -> None:
            nonlocal told
            if not told:  # a CLI is interrupted once: the second time, it drops everything
                self._runners.interrupt(job.step_id, reason)
            told = True

        with _Progress(self._steps, scope, job.run_id) as progress:
            running = asyncio.ensure_future(self._runners.run(job, progress.note))
            beside = (
                asyncio.create_task(_beat()),
                asyncio.create_task(_stop_with_worker(stop)),
            )
            try:
                while not running.done():
                    try:
                        await asyncio.shield(running)
                    except asyncio.CancelledError:
                        if running.cancelled():
                            raise
                        if (reason := _reason_to_stop()) is not None:
                            stop(reason)
                return running.result()
            finally:
                for task in beside:
                    task.cancel()

    async def _following(self, order: StepOrder) -> RunMove | None:
        """Ask what is next, so that the workflow need not; it will, if nobody answers here."""
        try:
            return await self._moves.advance(
                RunReference(organization_id=order.organization_id, run_id=order.run_id)
            )
        except PlatformError as error:
            log.warning("nobody_says_what_is_next", run_id=str(order.run_id), error=error.code)
            return None

    @contextlib.asynccontextmanager
    async def _folder(self, step_id: UUID) -> AsyncIterator[GivenFolder]:
        """Name a folder for what the runner reads, and take it away again.

        Not if the runner has left the step's own, for whose log it is needed: see workers.leftovers.
        """
        folder = GivenFolder.of(self._settings.work_path, step_id)
        try:
            yield folder
        finally:
            if not (self._settings.work_path / str(step_id)).exists():
                await asyncio.to_thread(shutil.rmtree, folder.root, ignore_errors=True)

    @contextlib.asynccontextmanager
    async def _key(self, scope: Scope, assignment: Assignment, drawn: DrawnKey) -> AsyncIterator[RunKey | None]:
        """Make a key for the registry that ends with the step."""
        owner_id, settings = assignment.submitter_id, self._settings
        if owner_id is None:
            yield None
            return
        lifetime = settings.limits.timeout + 2 * settings.limits.grace
        step_id = assignment.step_id
        key = await self._keys.make(
            scope, owner_id, drawn, run_id=assignment.run_id, step_id=step_id, lifetime=lifetime
        )
        try:
            yield key
        finally:
            with contextlib.suppress(PlatformError):  # it ends by itself as well
                await self._keys.end(scope, step_id)


class _Progress:
    """Passes news of a step on to its row, the newest only, and one write at a time."""

    def __init__(self, steps: Steps, scope: Scope, run_id: UUID) -> None:
        self._steps = steps
        self._scope = scope
        self._run_id = run_id
        self._newest: StepProgress | None = None
        self._writing: asyncio.Task[None] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._writing is not None:
            self._writing.cancel()

    def note(self, progress: StepProgress) -> None:
        """Take news; returns at once."""
        self._newest = progress
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write())

    async def _write(self) -> None:
        while (progress := self._newest) is not None:
            self._newest = None
            try:
                await self._steps.report_progress(self._scope, self._run_id, progress)
            except PlatformError as error:
                log.info("progress_not_shown", run_id=str(self._run_id), error=error.code)


async def _beat() -> None:
    """Let Temporal hear of the activity; its answers are how a cancellation comes in."""
    while True:
        activity.heartbeat()
        await asyncio.sleep(BEAT_SECONDS)


async def _stop_with_worker(stop: Callable[[InterruptReason], None]) -> None:
    """Interrupt the CLI as soon as the worker shuts down: whoever stops it counts the seconds from here."""
    await activity.wait_for_worker_shutdown()
    stop(InterruptReason.SHUTDOWN)


def _reason_to_stop() -> InterruptReason | None:
    """Tell why the activity was canceled; None if only Temporal has lost sight of it, which proves nothing."""
    details = activity.cancellation_details()
    if details is None or details.cancel_requested:
        return InterruptReason.CANCELED
    if details.worker_shutdown or activity.is_worker_shutdown():
        return InterruptReason.SHUTDOWN
    return None
