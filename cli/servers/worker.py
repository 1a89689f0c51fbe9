"""`groundwork worker`: the processes that run workflows, their steps and the command line tools."""

import asyncio
import signal
from pathlib import Path
from typing import Annotated, Final

import structlog
from cyclopts import Parameter
from temporalio.client import Client

from cli.errors import QueueUnknown
from cli.servers.ready import say_ready
from config.settings import TemporalSettings
from config.start import begin_process
from domain.outages import Outage
from workers.composition import check_key, open_services
from workers.serving import QUEUES, serving
from workers.temporal_client import connect

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
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    connecting = asyncio.create_task(_connect(settings.temporal))
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait((connecting, stopping), return_when=asyncio.FIRST_COMPLETED)
    if not connecting.done():
        connecting.cancel()
        return
    client = connecting.result()
    async with (
        open_services(settings) as services,
        serving(settings, services, client, queues=queues, alive_file=alive_file),
    ):
        say_ready(ready_fd)
        await stop.wait()


async def _connect(settings: TemporalSettings) -> Client:
    """Connect to Temporal, for as long as it takes: a worker can't start without, and may be there first."""
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
