"""Temporal's development server, with its Web UI, for development, the demo and the tests."""

import os
import signal
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import httpx2

from integrations.embedded.ports import LOOPBACK, free_port
from integrations.embedded.process import ServerProcess, end_leftovers
from integrations.temporal_configuration import temporal_configuration
from integrations.tools import find_tool

NAMESPACE: Final = "default"


class TemporalServer:
    """One server on the loopback, configured by deploy/temporal.yaml.

    What it holds survives a restart and a kill -9 (a database file in its folder). An earlier server of the
    folder that still runs is ended first, since two on one file would spoil it.
    """

    def __init__(
        self,
        directory: Path,
        *,
        port: int | None = None,
        ui_port: int | None = None,
        output: int | None = None,
    ) -> None:
        """Describe the server; nothing is done before `start`.

        Args:
            directory: where it lives; made with mode 0700 when it is not there.
            port: where clients connect; any free one by default.
            ui_port: where the Web UI is; any free one by default.
            output: file descriptor for its log; by default a file in the folder.
        """
        self._directory = directory.resolve()
        self._port = port
        self._ui_port = ui_port
        self._output = output
        self._process: ServerProcess | None = None

    async def __aenter__(self) -> Self:
        """Start it."""
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop it."""
        await self.stop()

    @property
    def address(self) -> str:
        """Where clients connect."""
        return f"{LOOPBACK}:{self._port}"

    @property
    def namespace(self) -> str:
        """Where the product's workflows are."""
        return NAMESPACE

    @property
    def web_url(self) -> str:
        """Where people look."""
        return f"http://{LOOPBACK}:{self._ui_port}"

    @property
    def pid(self) -> int:
        """Process id of the server that was started."""
        return self._started().pid

    async def start(self) -> None:
        """Run it until `stop`; return when it answers.

        Raises:
            ToolMissing: there is no temporal to run.
            ServerFailed: with the server's own last words.
        """
        binary = find_tool("temporal")
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        await end_leftovers(self._directory, binary, signal.SIGTERM)
        self._port = self._port or free_port()
        self._ui_port = self._ui_port or free_port()
        command = [
            *(str(binary), "server", "start-dev", "--ip", LOOPBACK),
            *("--port", str(self._port), "--ui-port", str(self._ui_port)),
            *("--db-filename", str(self._directory / "temporal.db")),
            *("--sqlite-pragma", "journal_mode=wal", "--sqlite-pragma", "synchronous=normal"),
            *("--log-level", "error", "--disable-config-file", "--disable-config-env"),
            *temporal_configuration().flags(),
        ]
        self._process = ServerProcess(
            "Temporal",
            command,
            directory=self._directory,
            environment={"PATH": os.environ.get("PATH", os.defpath), "HOME": str(self._directory)},
            stop_signal=signal.SIGTERM,
            output=self._output,
        )
        async with httpx2.AsyncClient(timeout=2) as client:
            await self._process.start(lambda: self._answers(client))

    async def stop(self) -> None:
        """Stop it in good order. Again is harmless."""
        if self._process is not None:
            await self._process.stop()

    def kill(self) -> None:
        """Kill it without a word, if it runs."""
        if self._process is not None:
            self._process.kill()

    async def wait(self) -> int:
        """Wait until it has ended, whoever ended it."""
        return await self._started().wait()

    async def _answers(self, client: httpx2.AsyncClient) -> bool:
        """Ask through the Web UI, which asks the server: both are there then."""
        try:
            answer = await client.get(f"{self.web_url}/api/v1/namespaces/{NAMESPACE}")
        except httpx2.HTTPError:
            return False
        return answer.is_success

    def _started(self) -> ServerProcess:
        if self._process is None:
            raise RuntimeError("Temporal was not started")
        return self._process
