"""PostgreSQL, then Temporal, away for ten seconds: API and worker come back by themselves, and say so once."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol

import httpx2
import pytest

from config.secrets import Secrets
from config.settings import CONFIG_FILE
from integrations.embedded.ports import free_port
from integrations.embedded.postgresql import PostgreSQL
from integrations.embedded.temporal import TemporalServer
from storage.blobs.local import LocalBlobStore
from storage.database import Database
from storage.migrations.upgrade import upgrade
from storage.roles import ensure_roles
from tests.factories.modules import publish_module
from tests.factories.organizations import make_caller
from tests.factories.people import A_MODULE, LONGEST, People
from tests.factories.services import make_services
from tests.fixtures.platform import Installation

pytestmark = [pytest.mark.servers, pytest.mark.timeout(240)]

ONCE = ("server_away", "server_back")


class Server(Protocol):
    async def start(self) -> None: ...

    async def stop(self) -> None: ...


class Processes:
    """An API and a worker, as an operator runs them, with servers of their own; each writes a log."""

    def __init__(
        self, people: People, module: dict[str, str], postgresql: Server, temporal: Server, logs: Path
    ) -> None:
        self.people = people
        self.module = module
        self.servers = {"PostgreSQL": postgresql, "Temporal": temporal}
        self._logs = logs

    def lines(self, name: str) -> list[dict[str, object]]:
        text = (self._logs / name).read_text()
        return [json.loads(line) for line in text.splitlines()]

    async def runs_to_its_end(self, deployment: str) -> None:
        body = {
            "deployment": deployment,
            "module": self.module,
            "inputs": {"name": "anna"},
            "secret_inputs": {"password": "p"},
            "auto_apply": True,
        }
        submitted = await self.people.post("/api/v1/runs", body)
        await self.people.run(submitted["id"], "applied")

    async def say(self, word: str, server: str, parts: dict[str, set[str]]) -> None:
        """Return when this is the last that each part of each process said of a server."""
        async with asyncio.timeout(LONGEST):
            while not all(self._said_last(name, server, parts[name]) == {word} for name in parts):  # noqa: ASYNC110  other processes
                await asyncio.sleep(0.1)

    def _said_last(self, name: str, server: str, parts: set[str]) -> set[object]:
        said = said_of(self.lines(name), server)
        return {said.get(part, ("nothing",))[-1] for part in parts}

    async def ready(self, status: int) -> None:
        """Return when the API says of itself that it is ready, or that it is not."""
        async with asyncio.timeout(LONGEST):
            while (await self.people.client.get("/readyz")).status_code != status:  # noqa: ASYNC110  a process's
                await asyncio.sleep(0.2)


@asynccontextmanager
async def process(settings_file: Path, log: Path, *arguments: str) -> AsyncIterator[None]:
    """Run one of the product's servers, ready when this begins; it is stopped in good order."""
    hears, says = os.pipe()
    with log.open("wb") as output:
        running = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "cli", *arguments, "--ready-fd", str(says)),
            env=os.environ | {CONFIG_FILE: str(settings_file)},
            stdout=output,
            stderr=output,
            pass_fds=(says,),
        )
    os.close(says)
    try:
        assert await asyncio.to_thread(os.read, hears, 1) == b"\n"
        yield
        assert running.returncode is None  # nobody had to start it again
    finally:
        os.close(hears)
        if running.returncode is None:
            running.terminate()
        assert await running.wait() == 0


@pytest.fixture(scope="module")
async def processes(tmp_path_factory: pytest.TempPathFactory, secrets: Secrets) -> AsyncIterator[Processes]:
    folder = tmp_path_factory.mktemp("outages")
    port = free_port()
    async with (
        PostgreSQL(folder / "postgresql", durable=False) as postgresql,
        TemporalServer(folder / "temporal") as temporal,
    ):
        ensure_roles(postgresql.owner_url, postgresql.app_url, postgresql.platform_url)
        await asyncio.to_thread(upgrade, postgresql.owner_url)
        installation = Installation(folder, postgresql, secrets, folder / "blobs")
        settings_file = installation.settings_file(temporal.address, api_port=port)
        async with (
            process(settings_file, folder / "api", "api"),
            process(settings_file, folder / "worker", "worker"),
            httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=LONGEST) as client,
        ):
            database = Database(postgresql.app_url, postgresql.platform_url)
            services = make_services(database, secrets, LocalBlobStore(folder / "blobs"))
            caller = await make_caller(services)
            module = await publish_module(services, caller, A_MODULE)
            await database.close()
            people = People(client, caller)
            yield Processes(people, module.as_json(), postgresql, temporal, folder)


def said_of(lines: list[dict[str, object]], server: str) -> dict[object, tuple[object, ...]]:
    """Give what was said of a server, by who said it."""
    said: dict[object, tuple[object, ...]] = {}
    for line in lines:
        if line.get("server") == server:
            said[line["logger"]] = (*said.get(line["logger"], ()), line["message"])
    return said


async def say_so_once(processes: Processes, server: str, parts: dict[str, set[str]]) -> None:
    """Fail unless each part of each process told of a server's outage once at its begin and once at its end."""
    await processes.say("server_back", server, parts)
    for name, its_parts in parts.items():
        lines = processes.lines(name)
        assert said_of(lines, server) == dict.fromkeys(its_parts, ONCE)
        assert [line for line in lines if "exception" in line] == []


class TestPostgresqlAway:
    async def test_api_and_worker_come_back_without_a_person_and_say_so_once(self, processes: Processes) -> None:
        client = processes.people.client
        await processes.runs_to_its_end("before")
        await processes.servers["PostgreSQL"].stop()
        await processes.ready(503)
        assert (await client.get("/livez")).status_code == 200
        assert (await client.get("/api/v1/runs", headers=processes.people.caller.headers)).status_code == 503
        parts = {
            "api": {"storage.listening", "services.operations"},
            "worker": {"storage.listening", "workers.dispatcher", "workers.presence"},
        }
        await processes.say("server_away", "PostgreSQL", parts)
        await processes.servers["PostgreSQL"].start()
        await processes.ready(200)
        await processes.runs_to_its_end("after")
        await say_so_once(processes, "PostgreSQL", parts)


class TestTemporalAway:
    async def test_what_is_accepted_meanwhile_is_done_without_a_person_and_said_once(
        self, processes: Processes
    ) -> None:
        people = processes.people
        await processes.servers["Temporal"].stop()
        inputs = {"inputs": {"name": "a"}, "secret_inputs": {"password": "p"}}
        body = {"deployment": "meanwhile", "module": processes.module, "auto_apply": True} | inputs
        submitted = await people.post("/api/v1/runs", body)
        parts = {"worker": {"workers.dispatcher", "workers.presence"}}
        await processes.say("server_away", "Temporal", parts)
        assert (await people.get(f"/api/v1/runs/{submitted['id']}"))["state"] == "accepted"
        await processes.servers["Temporal"].start()
        await people.run(submitted["id"], "applied")
        await say_so_once(processes, "Temporal", parts)
