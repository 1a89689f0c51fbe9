"""A worker process as a whole: it gives signs of life, ticks, and stops well."""

import asyncio
import os
from pathlib import Path

import httpx2
import pytest
from sqlalchemy import text
from temporalio.client import Client

from domain.long_work import CONTROL_QUEUE, TERRAFORM_QUEUE
from services.all import Services
from storage.database import Database
from tests.factories.modules import publish_module
from tests.factories.organizations import Caller
from tests.factories.people import A_LONG_MODULE, LONGEST, People
from tests.fixtures.platform import working
from workers.dispatcher import TICK

pytestmark = [pytest.mark.servers, pytest.mark.usefixtures("no_other_runs")]


@pytest.fixture(autouse=True)
def look_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.operations.REMEMBERED", 0)


WAITING = """
resource "terraform_data" "long" {{
  provisioner "local-exec" {{
    command = "echo it takes its time; cat {}"
  }}
}}
"""


async def workers_alive(client: httpx2.AsyncClient) -> int:
    return int((await client.get("/api/v1/health")).json()["workers"])


async def trigger(client: Client) -> None:
    """Let the tick come now; the dispatcher makes its Schedule when it starts."""
    async with asyncio.timeout(LONGEST):
        while TICK not in [schedule.id async for schedule in await client.list_schedules()]:  # noqa: ASYNC110  another task makes it
            await asyncio.sleep(0.05)
    await client.get_schedule_handle(TICK).trigger()


class TestServing:
    async def test_a_worker_is_seen_while_it_serves_and_gone_when_it_stopped(
        self, settings_file: Path, temporal_client: Client, client: httpx2.AsyncClient
    ) -> None:
        before = await workers_alive(client)
        # Without the queue `control`: a tick that is left in the middle holds up the next one.
        async with working(settings_file, temporal_client, queues=[TERRAFORM_QUEUE]), asyncio.timeout(LONGEST):
            while await workers_alive(client) != before + 1:  # noqa: ASYNC110  another task writes it
                await asyncio.sleep(0.05)
        async with asyncio.timeout(LONGEST):
            while await workers_alive(client) != before:  # noqa: ASYNC110  what was told is told again for a while
                await asyncio.sleep(0.05)

    async def test_a_worker_touches_its_file_while_it_serves(
        self, settings_file: Path, temporal_client: Client, tmp_path: Path
    ) -> None:
        file = tmp_path / "alive"
        working_with_file = working(settings_file, temporal_client, queues=[TERRAFORM_QUEUE], alive_file=file)
        async with working_with_file, asyncio.timeout(LONGEST):
            while not file.exists():  # noqa: ASYNC110  another task makes it
                await asyncio.sleep(0.05)
        assert not file.exists()

    async def test_the_tick_goes_on_with_a_run_that_everybody_has_forgotten(
        self,
        settings_file: Path,
        temporal_client: Client,
        client: httpx2.AsyncClient,
        services: Services,
        caller: Caller,
        database: Database,
    ) -> None:
        people = People(client, caller)
        module = await publish_module(services, caller, {"main.tf": ""})
        submitted = await people.post("/api/v1/runs", {"deployment": "one", "module": module.as_json()})
        async with database.platform("lose the wake") as session:
            await session.execute(text("DELETE FROM outbox"))
        async with database.transaction(caller.scope) as session:
            await session.execute(text("UPDATE run SET due_at = now() - interval '2 minutes'"))
        async with working(settings_file, temporal_client):
            await trigger(temporal_client)
            await people.run(submitted["id"], "applied")

    async def test_stopping_interrupts_a_cli_and_keeps_what_it_made(
        self,
        settings_file: Path,
        temporal_client: Client,
        client: httpx2.AsyncClient,
        services: Services,
        caller: Caller,
    ) -> None:
        people = People(client, caller)
        module = await publish_module(services, caller, A_LONG_MODULE)
        async with working(settings_file, temporal_client):
            submitted = await people.post(
                "/api/v1/runs", {"deployment": "one", "module": module.as_json(), "auto_apply": True}
            )
            await people.log_with(submitted["id"], "it takes its time")
        steps = (await people.get(f"/api/v1/runs/{submitted['id']}"))["steps"]
        assert steps[-1]["exit_class"] == "interrupted"
        states = await people.get(f"/api/v1/deployments/{submitted['deployment_id']}/states")
        assert states["items"]

    async def test_replacing_workers_in_the_documented_order_interrupts_nothing(
        self,
        settings_file: Path,
        temporal_client: Client,
        client: httpx2.AsyncClient,
        services: Services,
        caller: Caller,
        tmp_path: Path,
    ) -> None:
        people = People(client, caller)
        go_on = tmp_path / "go-on"
        os.mkfifo(go_on)
        module = await publish_module(services, caller, {"main.tf": WAITING.format(go_on)})
        wanted = {"deployment": "one", "module": module.as_json(), "auto_apply": True}
        async with working(settings_file, temporal_client, queues=[TERRAFORM_QUEUE]):
            async with working(settings_file, temporal_client, queues=[CONTROL_QUEUE]):
                submitted = await people.post("/api/v1/runs", wanted)
                await people.log_with(submitted["id"], "it takes its time")
            await asyncio.to_thread(go_on.write_text, "go on")
            async with asyncio.timeout(LONGEST):  # the step's end is in its row, whoever decides what follows
                while await live_steps(people, submitted["id"]):  # noqa: ASYNC110  another process writes it
                    await asyncio.sleep(0.05)
        async with working(settings_file, temporal_client):
            run = await people.run(submitted["id"], "applied")
        assert [(step["phase"], step["exit_class"]) for step in run["steps"]] == [
            ("plan", "succeeded"),
            ("apply", "succeeded"),
        ]


async def live_steps(people: People, run_id: str) -> list[str]:
    steps = (await people.get(f"/api/v1/runs/{run_id}"))["steps"]
    return [step["phase"] for step in steps if step["exit_class"] is None]
