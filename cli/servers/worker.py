"""`groundwork worker`: the processes that run workflows, their steps and the command line tools."""

import asyncio
import signal
from typing import Annotated

from cyclopts import Parameter

from cli.servers.ready import say_ready
from config.loading import load_settings
from config.logging import configure_logging
from workers.composition import open_services
from workers.serving import QUEUES, serving
from workers.temporal_client import connect


async def worker(
    *,
    queue: Annotated[tuple[str, ...], Parameter(consume_multiple=True)] = QUEUES,
    ready_fd: Annotated[int | None, Parameter(show=False)] = None,
) -> None:
    """Run workflows and their steps until SIGTERM or Ctrl-C; what runs is finished or handed on first.

    Args:
      queue: Which task queues to serve; all of them by default.
    """
    settings = load_settings()
    configure_logging(settings.logging)
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    client = await connect(settings.temporal)
    async with open_services(settings) as services, serving(settings, services, client, queues=queue):
        say_ready(ready_fd)
        await stop.wait()
