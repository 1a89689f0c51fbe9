"""Starts the servers in order, keeps them running, stops them in the reverse order."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from importlib import import_module
from typing import Final, Protocol

from cli.supervisor.home import Home
from cli.supervisor.keys import ensure_keys
from cli.supervisor.log_lines import LogLines
from cli.supervisor.own_process import OwnProcess
from domain.errors import PlatformError
from integrations.embedded.postgresql import PostgreSQL
from integrations.embedded.temporal import TemporalServer

NAME: Final = "groundwork"
STEADY_SECONDS: Final = 10.0
LONGEST_PAUSE: Final = 10.0


class Server(Protocol):
    """What is supervised."""

    async def start(self) -> None:
        """Run it; return when it is ready."""

    async def stop(self) -> None:
        """Stop it in good order."""

    async def wait(self) -> int:
        """Wait until it has ended."""

    def kill(self) -> None:
        """Kill it."""


class Supervisor:
    """Runs one home. Every child dies with it, so a kill -9 of it leaves nothing that blocks the next start."""

    def __init__(self, home: Home, lines: LogLines, *, ready: Callable[[], None]) -> None:
        """Take a home that is locked.

        Args:
            home: where everything is.
            lines: where logs go.
            ready: called when everything answers.
        """
        self._home = home
        self._lines = lines
        self._ready = ready
        self._servers: dict[str, Server] = {}

    async def run(self) -> None:
        """Run until SIGINT or SIGTERM; a second one kills what has not stopped yet.

        Raises:
            PlatformError: something could not be started; everything is stopped then.
        """
        running = asyncio.ensure_future(self._run())
        signals = 0

        def asked_to_stop() -> None:
            nonlocal signals
            signals += 1
            if signals == 1:
                self._lines.say(NAME, "stopping; once more kills")
                running.cancel()
            else:
                for server in self._servers.values():
                    server.kill()

        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, asked_to_stop)
        try:
            await running
        except asyncio.CancelledError:
            self._lines.say(NAME, "stopped")
        except ExceptionGroup as failures:  # of servers that start side by side; the first one says why
            raise failures.exceptions[0] from failures

    async def _run(self) -> None:
        ensure_keys(self._home)  # before there is data: afterwards a missing one is not made any more
        ports = self._home.ports()
        postgresql = PostgreSQL(
            self._home.postgresql, port=ports["postgresql"], output=await self._lines.pipe("postgresql")
        )
        temporal = TemporalServer(
            self._home.temporal,
            port=ports["temporal"],
            ui_port=ports["temporal_web"],
            output=await self._lines.pipe("temporal"),
        )
        # Migrations and services take seconds to import: time that the servers need to start, too.
        importing = asyncio.create_task(asyncio.to_thread(import_module, "cli.supervisor.installation"))
        async with self._running({"postgresql": postgresql, "temporal": temporal}):
            installation = await importing
            installation.write_settings(self._home, postgresql, temporal, api_port=ports["api"])
            self._lines.say(NAME, "migrating the database")
            await asyncio.to_thread(installation.bring_to_life, self._home)
            own = {
                name: OwnProcess(name, self._home.path / name, output=await self._lines.pipe(name))
                for name in ("api", "worker")
            }
            async with self._running(own):
                self._ready()
                async with asyncio.TaskGroup() as keeping:
                    for name, server in self._servers.items():
                        keeping.create_task(self._keep(name, server))

    @asynccontextmanager
    async def _running(self, servers: Mapping[str, Server]) -> AsyncIterator[None]:
        """Run servers side by side, and stop them at the end, whatever it was."""
        self._servers |= servers
        try:
            async with asyncio.TaskGroup() as starting:
                for name, server in servers.items():
                    starting.create_task(self._start(name, server))
            yield
        finally:
            await asyncio.gather(*(server.stop() for server in servers.values()))

    async def _start(self, name: str, server: Server) -> None:
        began = time.monotonic()
        await server.start()
        self._lines.say(NAME, f"{name} is up ({time.monotonic() - began:.1f} s)")

    async def _keep(self, name: str, server: Server) -> None:
        """Start a server again whenever it ends; the longer it keeps failing, the longer the pauses."""
        pause = 0.0
        while True:
            began = time.monotonic()
            status = await server.wait()
            pause = 0.0 if time.monotonic() - began > STEADY_SECONDS else min(pause + 1, LONGEST_PAUSE)
            self._lines.say(NAME, f"{name} ended with status {status}; starting it again in {pause:.0f} s")
            await asyncio.sleep(pause)
            try:
                await self._start(name, server)
            except (PlatformError, OSError) as error:
                self._lines.say(NAME, f"{name} did not start: {error}")
