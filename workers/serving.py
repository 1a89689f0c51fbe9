"""A worker process: the workers of its queues, and, with the control queue, the dispatcher."""

import asyncio
import os
import socket
import stat
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

import structlog
from temporalio.client import Client

from activities.provisioning import StepSettings
from config.settings import RunnerSettings, Settings
from domain.long_work import CONTROL_QUEUE, TERRAFORM_QUEUE
from domain.run_steps import EngineName, Sandbox, StepLimits
from integrations.tools import ToolMissing, find_tool
from services.all import Services
from workers.control import build_control_worker
from workers.dispatcher import Dispatcher
from workers.presence import Presence
from workers.runner.pool import RunnerPool
from workers.terraform import build_terraform_worker

QUEUES: Final = (CONTROL_QUEUE, TERRAFORM_QUEUE)
RECORDERS: Final = "workers.runner.recording:open_recorders"
log = structlog.get_logger(__name__)


@asynccontextmanager
async def serving(
    settings: Settings, services: Services, client: Client, *, queues: Sequence[str] = QUEUES
) -> AsyncIterator[None]:
    """Do the work of some queues until the context is left, and then let what runs end well.

    Args:
        settings: of the installation.
        services: its use cases.
        client: of Temporal; where it is lazy, the workers wait for the server.
        queues: which queues; the control queue brings the dispatcher with it.
    """
    slots = settings.runner.slots if TERRAFORM_QUEUE in queues else 0
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(_beside(Presence(services.workers, queues=list(queues), slots=slots).run()))
        if CONTROL_QUEUE in queues:
            url = settings.database.platform_url.get_secret_value()
            database = services.database
            await stack.enter_async_context(_beside(Dispatcher(database, client, listen_url=url).run()))
            await stack.enter_async_context(build_control_worker(client, services))
        if TERRAFORM_QUEUE in queues:
            pool = await stack.enter_async_context(RunnerPool(RECORDERS, slots))
            worker = build_terraform_worker(client, services, pool, step_settings(settings), slots=slots)
            await stack.enter_async_context(worker)
        yield


def step_settings(settings: Settings) -> StepSettings:
    """Give what this host gives to every step; makes the runs' folder, for nobody else to look into."""
    runner = settings.runner
    runner.work_path.mkdir(mode=stat.S_IRWXU, parents=True, exist_ok=True)
    return StepSettings(
        worker=f"{socket.gethostname()}/{os.getpid()}",
        work_path=runner.work_path,
        engines=_engines(runner),
        limits=StepLimits(
            renewal=runner.renewal, deadline=runner.deadline, grace=runner.grace, timeout=runner.timeout
        ),
        sandbox=Sandbox(runner.sandbox),
        ca_certificate=settings.tls.ca_certificate,
    )
