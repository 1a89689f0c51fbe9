"""`groundwork worker`: the processes that run workflows, their steps and the command line tools."""

import asyncio
import signal
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Final, TypeVar

import structlog
from cyclopts import Parameter
from temporalio.client import Client

from cli.errors import QueueUnknown
from cli.servers.ready import say_ready
from config.settings import TemporalSettings
from config.start import begin_process
from domain.outages import Outage
from integrations.scratch import clear_scratch
from workers.composition import check_key, open_services
from workers.serving import QUEUES, attending, serving
from workers.temporal_client import connect

T = TypeVar("T")
RECONNECT_SECONDS: Final = 1.0
log = structlog.get_logger(__name__)


async def worker(
    *,
    queue: Annotated[
        list[str] | None, Parameter(negative="", help="Task queue to work on; all by default.")
    ] = None,
    alive_file: Annotated[
        Path | None, Parameter(help="File to touch every 10 seconds, for whoever watches the process.")
    ] = None,
    ready_fd: Annotated[int | None, Parameter(show=False)] = None,
) -> None:
    """Run workflows and their steps until SIGTERM or Ctrl-C; what runs is finished or handed on first.

    The control queue brings the dispatcher with it, which carries committed work to Temporal.
    """
    queues = queue or list(QUEUES)
    unknown = sorted(set(queues) - set(QUEUES))
    if unknown:
        raise QueueUnknown(f"there is no queue {', '.join(unknown)}: choose from {', '.join(QUEUES)}")
    settings = begin_process()
    await check_key(settings)
    await asyncio.to_thread(clear_scratch)
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    # Temporal may be away for long: until it is there, what needs no Temporal is done.
    lazy = await connect(settings.temporal, lazy=True)
    async with (
        open_services(settings) as services,
        attending(settings, services, lazy, queues=queues, alive_file=alive_file),
    ):
        client = await _unless(stop, _connect(settings.temporal))
        if client is None:
            return
        async with serving(settings, services, client, queues=queues):
            say_ready(ready_fd)
            await stop.wait()


async def _unless(stop: asyncio.Event, work: Coroutine[None, None, T]) -> T | None:
    """Do something, or give it up when the process is asked to stop."""
    working, stopping = asyncio.create_task(work), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait((working, stopping), return_when=asyncio.FIRST_COMPLETED)
        return await working if working.done() else None
    finally:
        working.cancel()
        stopping.cancel()


async def _connect(settings: TemporalSettings) -> Client:
    """Connect to Temporal, for as long as it takes: work can't begin without; no worker takes a lazy client."""
    outage = Outage(log, f"Temporal at {settings.address}")
    while True:
        try:
            client = await connect(settings)
        except RuntimeError as error:
            outage.began(error)
            await asyncio.sleep(RECONNECT_SECONDS)
        else:
            outage.ended()
            return client
