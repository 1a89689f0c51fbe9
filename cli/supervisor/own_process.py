"""A server of this product as a child of the supervisor: the API or the worker."""

import contextlib
import os
import signal
import sys
from pathlib import Path
from typing import Final

from integrations.embedded.process import ServerProcess, end_leftovers

STOP_SECONDS: Final = 120.0
"""A run that is interrupted has its grace, and then stores what it made: killing it earlier would lose that."""


class OwnProcess:
    """Runs `groundwork NAME` until it is stopped; it says by a pipe when it is ready (s6's notification-fd)."""

    def __init__(self, name: str, directory: Path, *, output: int) -> None:
        """Describe it: the subcommand, its working folder, and where its log goes."""
        self.name = name
        self._directory = directory
        self._output = output
        self._process: ServerProcess | None = None

    async def start(self) -> None:
        """Run it and return when it is ready.

        Raises:
            ServerFailed: it ended or was not ready in time.
        """
        self._directory.mkdir(mode=0o700, exist_ok=True)
        await end_leftovers(self._directory, Path(sys.executable), signal.SIGTERM, word=self.name)
        reader, writer = os.pipe()
        os.set_blocking(reader, False)
        try:
            # -P: the folder where a person stands is no place to import from.
            command = [sys.executable, "-P", "-m", "cli", self.name, "--ready-fd", str(writer)]
            self._process = ServerProcess(
                self.name,
                command,
                directory=self._directory,
                environment=_environment(),
                stop_signal=signal.SIGTERM,
                output=self._output,
                inherited=(writer,),
            )
            await self._process.start(lambda: _said_ready(reader), timeout=60)
        finally:
            os.close(reader)
            os.close(writer)

    async def stop(self) -> None:
        """Let it finish what it does and stop it."""
        if self._process is not None:
            await self._process.stop(timeout=STOP_SECONDS)

    async def wait(self) -> int:
        """Wait until it has ended."""
        if self._process is None:
            raise RuntimeError(f"{self.name} was not started")
        return await self._process.wait()

    def kill(self) -> None:
        """Kill it without a word, if it runs."""
        if self._process is not None:
            self._process.kill()


async def _said_ready(reader: int) -> bool:
    with contextlib.suppress(BlockingIOError):
        return os.read(reader, 1) != b""
    return False


def _environment() -> dict[str, str]:
    """Give the supervisor's own, without DATABASE_URL: in a developer's shell it is another program's database."""
    return {name: value for name, value in os.environ.items() if name != "DATABASE_URL"} | {
        "PYTHONUNBUFFERED": "1"
    }
