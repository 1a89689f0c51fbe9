"""`groundwork api`: the HTTP server."""

import asyncio
import gc
import signal
import socket
from collections.abc import Callable
from types import FrameType
from typing import Annotated

import uvicorn
from cyclopts import Parameter
from starlette.types import ASGIApp
from uvicorn.supervisors.multiprocess import Multiprocess

from api.app import create_app
from cli.servers.http import allow_connections, http_server
from cli.servers.processes import begin_child, shared_counts
from cli.servers.ready import say_ready
from config.start import begin_process
from integrations.scratch import clear_scratch
from workers.composition import check_key, keep_in_step, make_services, open_database


def api(*, ready_fd: Annotated[int | None, Parameter(show=False)] = None) -> int:
    """Serve the HTTP API until SIGTERM or Ctrl-C; requests that run are finished first.

    It needs the database with its migrations run, and no Temporal. TLS by api.tls_certificate, or by a proxy.
    """
    settings = begin_process()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    config = http_server(
        "cli.servers.api:application",
        host=settings.api.host,
        port=settings.api.port,
        certificate=settings.api.tls_certificate,
        key=settings.api.tls_key,
        processes=settings.api.processes,
    )
    clear_scratch()
    allow_connections()
    try:
        asyncio.run(check_key(settings))
        if settings.api.processes > 1:
            with shared_counts(settings.api.processes):
                Multiprocess(config, [config.bind_socket()]).run()
        else:
            _Server(config, ready_fd).run()
    except KeyboardInterrupt:
        return 0  # asked to stop before it served; or after, since uvicorn raises its signal again
    except SystemExit:
        return 1  # it could not start, and has logged why
    return 0


def application() -> ASGIApp:
    """Make the application of one process, from the settings it finds."""
    settings = begin_process()
    begin_child()
    database = open_database(settings)
    services = make_services(settings, database)

    async def listen() -> None:
        _when_stopped(services.provisioning.logs.end_following)
        try:
            await keep_in_step(settings, services)
        finally:
            await database.close()

    made = create_app(
        services,
        public_url=settings.registry.public_url,
        workflow_pages=settings.temporal.workflow_pages,
        background=(listen,),
    )
    # What is there now stays until the end. To look through all of it again would stop every request now and then,
    # for a tenth of a second and more.
    gc.collect()
    gc.freeze()
    return made


def _when_stopped(work: Callable[[], None]) -> None:
    """Do something as soon as the process is asked to stop; the server first waits for all answers to end."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        servers_own = signal.getsignal(number)

        def stop(number: int, frame: FrameType | None, then: object = servers_own) -> None:
            loop.call_soon_threadsafe(work)
            if callable(then):
                then(number, frame)

        signal.signal(number, stop)


class _Server(uvicorn.Server):
    """Says when it takes connections."""

    def __init__(self, config: uvicorn.Config, ready_fd: int | None) -> None:
        super().__init__(config)
        self._ready_fd = ready_fd

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        if self.started:
            say_ready(self._ready_fd)
