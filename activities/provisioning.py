"""Side effects of a run's workflow: one short one that decides, and one long one that runs a CLI."""

import asyncio
import contextlib
import shutil
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol, Self
from uuid import UUID

import structlog
from temporalio import activity

from activities.errors import maps_errors
from domain.errors import PlatformError
from domain.provisioning.errors import EngineMissing, StepRefused
from domain.provisioning.inputs import Inputs
from domain.provisioning.messages import RunMove, RunReference, StepOrder, StepReport
from domain.run_steps import (
    EngineName,
    InterruptReason,
    Sandbox,
    StepJob,
    StepLimits,
    StepOutcome,
    StepProgress,
)
from domain.scope import Actor, ActorKind, Scope
from integrations.terraformrc import ProviderSource, RegistryHost, render_terraformrc
from services.provisioning.materials import Materials, StepMaterials
from services.provisioning.moves import RunMoves
from services.provisioning.run_keys import RunKey, RunKeys
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


@dataclass(frozen=True, slots=True, kw_only=True)
class StepSettings:
    """What a worker's host gives to every step."""

    worker: str
    work_path: Path
    engines: dict[EngineName, Path]
    limits: StepLimits
    sandbox: Sandbox
    registry: RegistryHost | None
    """Where CLIs install from; each step gets a key of its own for it."""
    sources: tuple[ProviderSource, ...]
    ca_certificate: Path | None


class RunActivities:
    """Decides what a run does next; one instance per worker process."""

    def __init__(self, moves: RunMoves) -> None:
        """Take the use cases."""
        self._moves = moves

    @activity.defn(name="provisioning.advance")
    @maps_errors
    async def advance(self, reference: RunReference) -> RunMove:
        """See RunMoves.advance, which is harmless again, so any number of attempts is safe."""
        return await self._moves.advance(reference)


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
            assignment = await self._steps.admit(scope, order, self._settings.worker)
        except StepRefused as refusal:
            return StepReport(refused=refusal.detail)
        async with contextlib.AsyncExitStack() as stack:
            try:
                job = await self._prepare(stack, scope, assignment, lease_started)
            except BaseException:
                # Nothing has begun, so nobody needs to wait for the lease to end.
                await asyncio.shield(self._steps.give_back(scope, assignment.step_id))
                raise
            outcome = await self._run(scope, job)
            _, move = await asyncio.gather(stack.aclose(), self._following(order))
        return StepReport(exit_class=outcome.exit_class, move=move)

    async def _prepare(
        self, stack: contextlib.AsyncExitStack, scope: Scope, assignment: Assignment, lease_started: float
    ) -> StepJob:
        """Gather what the runner needs; the stack takes it away again."""
        if assignment.engine not in self._settings.engines:
            raise EngineMissing(f"there is no {assignment.engine} on {self._settings.worker}")
        folder = await stack.enter_async_context(self._folder(assignment.step_id))
        fetching = asyncio.create_task(self._materials.fetch(scope, assignment))
        try:
            key = await stack.enter_async_context(self._key(scope, assignment))
            materials = await fetching
        finally:
            fetching.cancel()
        given = await asyncio.to_thread(_write, folder, materials)
        return self._job(scope, assignment, given, key, lease_started)

    async def _run(self, scope: Scope, job: StepJob) -> StepOutcome:
        """Wait for the runner, whatever happens to the activity meanwhile."""
        with _Progress(self._steps, scope, job.run_id) as progress:
            running = asyncio.ensure_future(self._runners.run(job, progress.note))
            beating = asyncio.create_task(_beat())
            told = False
            try:
                while not running.done():
                    try:
                        await asyncio.shield(running)
                    except asyncio.CancelledError:
                        if running.cancelled():
                            raise
                        if not told and (reason := _reason_to_stop()) is not None:
                            told = True  # a CLI is interrupted once: the second time, it drops everything
                            self._runners.interrupt(job.step_id, reason)
                return running.result()
            finally:
                beating.cancel()

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
    async def _folder(self, step_id: UUID) -> AsyncIterator[Path]:
        """Make a folder for what the runner reads; nobody else may look into it."""
        folder = self._settings.work_path / f"{step_id}.given"
        folder.mkdir(mode=0o700, parents=True)
        try:
            yield folder
        finally:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)

    @contextlib.asynccontextmanager
    async def _key(self, scope: Scope, assignment: Assignment) -> AsyncIterator[RunKey | None]:
        """Make a key for the registry that ends with the step."""
        owner_id, settings = assignment.submitter_id, self._settings
        if settings.registry is None or owner_id is None:
            yield None
            return
        lifetime = settings.limits.timeout + 2 * settings.limits.grace
        key = await self._keys.make(scope, owner_id, run_id=assignment.run_id, lifetime=lifetime)
        try:
            yield key
        finally:
            with contextlib.suppress(PlatformError):  # it ends by itself as well
                await self._keys.end(scope, key.id)

    def _job(
        self, scope: Scope, assignment: Assignment, given: "_Given", key: RunKey | None, lease_started: float
    ) -> StepJob:
        settings, plan = self._settings, assignment.plan
        registry = settings.registry
        if registry is not None and key is not None:
            registry = replace(registry, token=key.token)
        return StepJob(
            organization_id=scope.organization_id,
            run_id=assignment.run_id,
            deployment_id=assignment.deployment_id,
            step_id=assignment.step_id,
            phase=assignment.phase,
            operation=assignment.operation,
            engine=assignment.engine,
            engine_path=settings.engines[assignment.engine],
            folder=settings.work_path / str(assignment.step_id),
            module_archive=given.module_archive,
            inputs=assignment.inputs,
            secret_inputs=given.secret_inputs,
            secrets=() if key is None else (key.token,),
            refuse_undeclared=assignment.refuse_undeclared,
            state=given.state,
            plan=given.plan,
            plan_sha256=None if plan is None else plan.sha256,
            lock_file=given.lock_file,
            terraformrc=render_terraformrc(registry, settings.sources),
            ca_certificate=settings.ca_certificate,
            show_plan=assignment.show_plan,
            lease_started=lease_started,
            limits=settings.limits,
            sandbox=settings.sandbox,
        )


@dataclass(frozen=True, slots=True)
class _Given:
    """Materials, with files where the runner reads files."""

    module_archive: Path
    state: Path | None
    plan: Path | None
    lock_file: Path | None
    secret_inputs: Inputs


def _write(folder: Path, materials: StepMaterials) -> _Given:
    def written(name: str, data: bytes | None) -> Path | None:
        if data is None:
            return None
        (folder / name).write_bytes(data)
        return folder / name

    (folder / "module").write_bytes(materials.module_archive)
    return _Given(
        module_archive=folder / "module",
        state=written("state", materials.state),
        plan=written("plan", materials.plan),
        lock_file=written("lock", materials.lock_file),
        secret_inputs=materials.secret_inputs,
    )


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


def _reason_to_stop() -> InterruptReason | None:
    """Tell why the activity was canceled; None if only Temporal has lost sight of it, which proves nothing."""
    details = activity.cancellation_details()
    if details is None or details.cancel_requested:
        return InterruptReason.CANCELED
    if details.worker_shutdown or activity.is_worker_shutdown():
        return InterruptReason.SHUTDOWN
    return None
