"""A `groundwork dev` that a test started, as the process it is."""

import asyncio
import contextlib
import signal
import ssl
import subprocess
import sys
import tomllib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import psutil

READY = "Groundwork is ready"
WORDS = {"postgresql": "postgres", "temporal": "start-dev", "api": "api", "worker": "worker"}
"""A word of each server's command line."""


class Dev:
    """One run of the supervisor on a home."""

    def __init__(self, home: Path, process: asyncio.subprocess.Process) -> None:
        self.home = home
        self.process = process
        self.said: list[str] = []

    async def says(self, text: str) -> None:
        """Return when it says something that it has not said before; fail when it ends instead."""
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            self.said.append(line.decode().rstrip())
            if text in self.said[-1]:
                return
        raise AssertionError(f"it never said {text!r}:\n" + "\n".join(self.said))

    async def ended(self) -> int:
        """Wait for its end; give its status."""
        rest, _ = await self.process.communicate()
        self.said += rest.decode().splitlines()
        return await self.process.wait()

    def signal(self, number: signal.Signals) -> None:
        """Send the supervisor a signal."""
        self.process.send_signal(number)

    def server(self, name: str) -> psutil.Process:
        """Find one of its servers."""
        for child in psutil.Process(self.process.pid).children():
            if any(Path(word).name == WORDS[name] for word in child.cmdline()):
                return child
        raise AssertionError(f"{name} does not run")

    async def organizations(self) -> httpx2.Response:
        """Ask the API for its organizations, as the first administrator."""
        settings = tomllib.loads((self.home / "groundwork.toml").read_text())
        key = (self.home / "admin.key").read_text().strip()
        trusting = ssl.create_default_context(cafile=settings["tls"]["ca_certificate"])
        async with httpx2.AsyncClient(verify=trusting, timeout=20) as client:
            url = f"{settings['registry']['public_url']}/api/v1/organizations"
            return await client.get(url, headers={"Authorization": f"Bearer {key}"})

    async def serves(self) -> None:
        """Return when the API answers from the database."""
        async with asyncio.timeout(30):
            while True:
                with contextlib.suppress(httpx2.TransportError):
                    if (await self.organizations()).is_success:
                        return
                await asyncio.sleep(0.1)  # there is nothing to wait for but the next answer


@asynccontextmanager
async def dev(home: Path) -> AsyncIterator[Dev]:
    """Run one; it is ready when it is given. At the end it is stopped, if the test has not done so."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "cli", "dev", "--home", str(home)),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    running = Dev(home, process)
    try:
        await running.says(READY)
        yield running
    finally:
        if process.returncode is None:
            running.signal(signal.SIGTERM)
            assert await running.ended() == 0


async def nothing_works_in(home: Path) -> None:
    """Return when no process works in a home any more; a runner that lost its worker ends by itself."""
    async with asyncio.timeout(20):
        while at_work_in(home):  # noqa: ASYNC110  nobody's children tell nobody of their end
            await asyncio.sleep(0.1)


def at_work_in(home: Path) -> list[str]:
    """Name the processes that work in a home."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if Path(process.cwd()).is_relative_to(home):
                found.append(f"{process.name()} in {process.cwd()}")
    return found
