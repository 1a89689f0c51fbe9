"""`groundwork api` as the process it is: it serves, stops in good order, and says why it can't start."""

import base64
import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import psutil
import pytest

from config.secrets import Secrets
from integrations.embedded.ports import LOOPBACK, free_port
from integrations.embedded.postgresql import PostgreSQL
from services.all import Services
from tests.factories.modules import publish_module
from tests.factories.organizations import Caller
from tests.factories.runs import Driver

pytestmark = pytest.mark.servers
Start = Callable[..., "Api"]


class Api:
    """One run of the command."""

    def __init__(self, environment: dict[str, str], port: int) -> None:
        self.port = port
        self.process = subprocess.Popen(
            [sys.executable, "-m", "cli", "api"],
            env=os.environ | environment | {"GROUNDWORK_API__PORT": str(port)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.said = ""

    def says(self, text: str) -> None:
        """Return when it logs something."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said += line
            if text in line:
                return
        raise AssertionError(f"it never said {text!r}:\n{self.said}")

    def ended(self) -> int:
        rest, _ = self.process.communicate()
        self.said += rest
        return self.process.returncode


@pytest.fixture
def start(postgresql: PostgreSQL, secrets: Secrets, tmp_path: Path) -> Iterator[Start]:
    """Give a function that starts the command; what still runs at the end is killed."""
    environment = {
        "GROUNDWORK_ENVIRONMENT": "development",
        "GROUNDWORK_DATABASE__APP_URL": postgresql.app_url,
        "GROUNDWORK_DATABASE__PLATFORM_URL": postgresql.platform_url,
        "GROUNDWORK_REGISTRY__HOSTNAME": "registry.groundwork.test",
        "GROUNDWORK_REGISTRY__PUBLIC_URL": "https://registry.groundwork.test",
        "GROUNDWORK_BLOBS__PATH": str(tmp_path / "blobs"),
        "GROUNDWORK_RUNNER__SANDBOX": "none",
    }
    for name in ("key_encryption_key", "pepper", "signing_key"):
        (tmp_path / name).write_bytes(base64.b64encode(getattr(secrets, name)))
        environment[f"GROUNDWORK_SECRETS__{name.upper()}_FILE"] = str(tmp_path / name)
    with contextlib.ExitStack() as stack:

        def _start(port: int, **changes: str) -> Api:
            started = Api(environment | changes, port)
            stack.callback(started.process.kill)
            return started

        yield _start


class TestApi:
    @pytest.mark.parametrize("processes", [1, 2])
    def test_it_serves_and_stops_when_it_is_asked_to(self, start: Start, processes: int) -> None:
        running = start(free_port(), GROUNDWORK_API__PROCESSES=str(processes))
        for _ in range(processes):
            running.says("Application startup complete")
        assert httpx2.get(f"http://{LOOPBACK}:{running.port}/livez", timeout=20).is_success
        running.process.send_signal(signal.SIGTERM)
        assert running.ended() == 0
        assert running.said.count("Application shutdown complete") == processes

    def test_its_processes_end_when_it_is_killed(self, start: Start) -> None:
        running = start(free_port(), GROUNDWORK_API__PROCESSES="2")
        for _ in range(2):
            running.says("Application startup complete")
        children = psutil.Process(running.process.pid).children(recursive=True)
        running.process.kill()
        _, alive = psutil.wait_procs(children, timeout=30)
        assert alive == []
        assert running.ended() == -signal.SIGKILL

    def test_the_metrics_of_two_processes_are_told_together_whichever_is_asked(
        self, start: Start, operator: dict[str, str]
    ) -> None:
        running = start(free_port(), GROUNDWORK_API__PROCESSES="2")
        for _ in range(2):
            running.says("Application startup complete")
        url = f"http://{LOOPBACK}:{running.port}"
        for _ in range(40):  # each by a connection of its own, so both processes get some
            assert httpx2.get(f"{url}/version", timeout=20).is_success
        all_of_them = 'groundwork_http_requests_total{method="GET",route="/version",status="200"} 40.0\n'

        def told() -> str:
            return httpx2.get(f"{url}/metrics", headers=operator, timeout=20).text

        while all_of_them not in told():  # the last ones are told a moment later
            pass
        for _ in range(10):
            assert all_of_them in told()
        running.process.send_signal(signal.SIGTERM)
        assert running.ended() == 0

    async def test_a_stop_ends_streams_of_logs_without_a_traceback(
        self, start: Start, services: Services, caller: Caller
    ) -> None:
        driver = Driver(services, caller.scope, await publish_module(services, caller, {"main.tf": ""}))
        run = await driver.submit()
        running = start(free_port())
        running.says("Application startup complete")
        url = f"http://{LOOPBACK}:{running.port}/api/v1/runs/{run.id}/logs"
        with httpx2.stream("GET", url, headers=caller.headers, timeout=60) as stream:
            lines = stream.iter_lines()
            assert next(lines) == "event: state"
            running.process.send_signal(signal.SIGTERM)
            assert "event: end" not in list(lines)  # it ends whole, and says of the run only what is so
        assert running.ended() == 0
        assert "Traceback" not in running.said
        assert "exceeded" not in running.said  # the time that requests have

    def test_a_port_that_is_taken_is_1_with_the_reason(self, start: Start) -> None:
        with socket.create_server((LOOPBACK, free_port())) as taken:
            refused = start(taken.getsockname()[1])
            assert refused.ended() == 1
            assert "address already in use" in refused.said
