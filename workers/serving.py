"""A worker process: the workers of its queues, and, with the control queue, the dispatcher."""

import os
import socket
import stat
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

import structlog
from temporalio.client import Client

from activities.provisioning.step_jobs import StepSettings
from config.settings import RunnerSettings, Settings
from domain.deployments.sources import EngineName
from domain.errors import ToolMissing
from domain.long_work import CONTROL_QUEUE, TERRAFORM_QUEUE, TRANSFER_QUEUE
from domain.provisioning.steps import Sandbox, StepLimits
from integrations.terraformrc import RegistryHost
from integrations.tools import find_tool
from services.all import Services
from workers.background import beside
from workers.composition import open_database
from workers.control import build_control_worker
from workers.dispatcher import Dispatcher
from workers.leftovers import Leftovers
from workers.presence import Presence
from workers.runner.pool import RunnerPool
from workers.terraform import build_terraform_worker, stop_time
from workers.transfer import build_transfer_worker

QUEUES: Final = (CONTROL_QUEUE, TERRAFORM_QUEUE, TRANSFER_QUEUE)
RECORDERS: Final = "workers.runner.recording:open_recorders"
log = structlog.get_logger(__name__)


@asynccontextmanager
async def attending(
    settings: Settings,
    services: Services,
    client: Client,
    *,
    queues: Sequence[str] = QUEUES,
    alive_file: Path | None = None,
) -> AsyncIterator[None]:
    """Give signs of life, and look after what killed runners left: whether or not Temporal answers.

    Args:
        settings: of the installation.
        services: its use cases.
        client: of Temporal, which may be lazy.
        queues: which queues the process works on, or will.
        alive_file: to be touched as long as the process lives.
    """
    presence = Presence(
        services.provisioning.workers,
        client,
        queues=list(queues),
        slots=_slots(settings, queues),
        alive_file=alive_file,
    )
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(beside(presence.run))
        if TERRAFORM_QUEUE in queues:
            leftovers = Leftovers(_work_path(settings.runner), services.provisioning)
            await stack.enter_async_context(beside(leftovers.run))
        yield


@asynccontextmanager
async def serving(
    settings: Settings, services: Services, client: Client, *, queues: Sequence[str] = QUEUES
) -> AsyncIterator[None]:
    """Do the work of some queues until the context is left, and then let what runs end well.

    Args:
        settings: of the installation.
        services: its use cases.
        client: of Temporal, connected.
        queues: which queues; the control queue brings the dispatcher with it.
    """
    async with AsyncExitStack() as stack:
        if CONTROL_QUEUE in queues:
            database = open_database(settings)
            stack.push_async_callback(database.close)
            url = settings.database.platform_url.get_secret_value()
            dispatcher = Dispatcher(database, client, areas=services.areas, listen_url=url)
            await stack.enter_async_context(beside(dispatcher.run))
            await stack.enter_async_context(build_control_worker(client, services))
        if TRANSFER_QUEUE in queues:
            await stack.enter_async_context(build_transfer_worker(client, services))
        if TERRAFORM_QUEUE in queues:
            slots = _slots(settings, queues)
            pool = await stack.enter_async_context(RunnerPool(RECORDERS, slots))
            worker = build_terraform_worker(client, services, pool, step_settings(settings), slots=slots)
            await stack.enter_async_context(worker)
            stack.callback(_tell_stop, pool, settings)
        yield


def _tell_stop(pool: RunnerPool, settings: Settings) -> None:
    """Say what a stop waits for; the worker's shutdown, which follows, interrupts it."""
    if pool.working:
        longest = stop_time(_limits(settings.runner))
        log.info("interrupting_runs", runs=pool.working, seconds_at_most=round(longest.total_seconds()))


def _limits(runner: RunnerSettings) -> StepLimits:
    return StepLimits(renewal=runner.renewal, deadline=runner.deadline, grace=runner.grace, timeout=runner.timeout)


def _slots(settings: Settings, queues: Sequence[str]) -> int:
    return settings.runner.slots if TERRAFORM_QUEUE in queues else 0


def _work_path(runner: RunnerSettings) -> Path:
    """Make the runs' folder, for nobody else to look into."""
    runner.work_path.mkdir(mode=stat.S_IRWXU, parents=True, exist_ok=True)
    return runner.work_path


def step_settings(settings: Settings) -> StepSettings:
    """Give what this host gives to every step."""
    runner = settings.runner
    return StepSettings(
        worker=f"{socket.gethostname()}/{os.getpid()}",
        work_path=_work_path(runner),
        engines=_engines(runner),
        limits=_limits(runner),
        sandbox=Sandbox(runner.sandbox),
        registry=RegistryHost(settings.registry.hostname, settings.registry.public_url),
        ca_certificate=settings.tls.ca_certificate,
    )


def _engines(runner: RunnerSettings) -> dict[EngineName, Path]:
    """Find the CLIs of this host; one that is missing is a matter of the runs that ask for it."""
    paths = {EngineName.TERRAFORM: runner.terraform_path, EngineName.OPENTOFU: runner.tofu_path}
    tools = {EngineName.TERRAFORM: "terraform", EngineName.OPENTOFU: "tofu"}
    found = {}
    for engine, path in paths.items():
        try:
            found[engine] = path or find_tool(tools[engine])
        except ToolMissing as missing:
            log.warning("engine_missing", engine=engine.value, detail=missing.detail)
    return found
