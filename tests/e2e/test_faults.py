"""Faults, each caused for real: what was accepted goes on, and every run comes to a true end."""

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID

import httpx2
import psutil
import pytest
from sqlalchemy import text
from temporalio.client import Client

from config.settings import CONFIG_FILE
from domain.ids import new_id
from domain.provisioning.messages import RunReference
from integrations.embedded.ports import free_port
from integrations.embedded.temporal import TemporalServer
from services.all import Services
from storage.database import Database
from tests.factories.modules import publish_module
from tests.factories.organizations import Caller
from tests.factories.people import A_LONG_MODULE, A_MODULE, LONGEST, People
from tests.fixtures.platform import Installation, connect, working

pytestmark = [pytest.mark.servers, pytest.mark.usefixtures("no_other_runs")]

A_SHORT_WAIT = {
    "main.tf": """
resource "terraform_data" "short" {
  provisioner "local-exec" {
    command = "echo it takes its time; sleep 3"
  }
}
"""
}


@pytest.fixture
async def people(client: httpx2.AsyncClient, caller: Caller) -> People:
    return People(client, caller)


@asynccontextmanager
async def command(settings_file: Path, *arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run one of the product's servers in a process of its own, ready when this begins, killed at the end."""
    hears, says = os.pipe()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "cli", *arguments, "--ready-fd", str(says)),
        env=os.environ | {CONFIG_FILE: str(settings_file)},
        pass_fds=(says,),
    )
    os.close(says)
    try:
        assert await asyncio.to_thread(os.read, hears, 1) == b"\n"
        yield process
    finally:
        os.close(hears)
        if process.returncode is None:
            process.kill()
        await process.wait()


def words_of(process: psutil.Process) -> list[str]:
    """Give the command line of a process; none of one that ended since it was listed, as a module's own do."""
    try:
        return process.cmdline()
    except psutil.NoSuchProcess:
        return []


class TestApiKilled:
    async def test_between_commit_and_wake_loses_no_run(
        self,
        make_installation: Callable[[], Installation],
        temporal: TemporalServer,
        temporal_client: Client,
        services: Services,
        people: People,
    ) -> None:
        module = await publish_module(services, people.caller, A_MODULE)
        port = free_port()
        settings_file = make_installation().settings_file(temporal.address, api_port=port)
        body = {
            "deployment": "one",
            "module": module.as_json(),
            "inputs": {"name": "anna"},
            "secret_inputs": {"password": "p"},
            "auto_apply": True,
        }
        headers = people.caller.headers | {"Idempotency-Key": "the-same"}
        async with command(settings_file, "api") as api, httpx2.AsyncClient(timeout=LONGEST) as client:
            url = f"http://127.0.0.1:{port}/api/v1/runs"
            first = await client.post(url, json=body, headers=headers)
            assert first.status_code == 202, first.text
            api.send_signal(signal.SIGKILL)
            await api.wait()
        again = await people.client.post("/api/v1/runs", json=body, headers=headers)
        assert again.json()["id"] == first.json()["id"]
        assert (await people.get(f"/api/v1/runs/{first.json()['id']}"))["state"] == "accepted"
        async with working(settings_file, temporal_client):
            await people.run(first.json()["id"], "applied")


class TestDuplicateSubmits:
    async def test_in_parallel_with_one_key_make_one_run(self, services: Services, people: People) -> None:
        module = await publish_module(services, people.caller, A_MODULE)
        body = {"deployment": "one", "module": module.as_json()}
        headers = people.caller.headers | {"Idempotency-Key": str(new_id())}
        answers = await asyncio.gather(
            *(people.client.post("/api/v1/runs", json=body, headers=headers) for _ in range(20))
        )
        assert {answer.status_code for answer in answers} == {202}
        assert len({answer.json()["id"] for answer in answers}) == 1
        other = await people.client.post("/api/v1/runs", json=body | {"operation": "plan"}, headers=headers)
        assert (other.status_code, other.json()["code"]) == (422, "platform.idempotency_key_reused")


class TestTemporalAway:
    @pytest.fixture
    async def own_temporal(self, tmp_path: Path) -> AsyncIterator[TemporalServer]:
        async with TemporalServer(tmp_path) as server:
            yield server

    async def test_at_submit_the_run_is_accepted_and_starts_later(
        self,
        make_installation: Callable[[], Installation],
        own_temporal: TemporalServer,
        services: Services,
        people: People,
    ) -> None:
        module = await publish_module(services, people.caller, A_MODULE)
        settings_file = make_installation().settings_file(own_temporal.address)
        async with working(settings_file, await connect(own_temporal)):
            await own_temporal.stop()
            submitted = await people.post(
                "/api/v1/runs",
                {
                    "deployment": "one",
                    "module": module.as_json(),
                    "inputs": {"name": "anna"},
                    "secret_inputs": {"password": "p"},
                    "auto_apply": True,
                },
            )
            assert (await people.get(f"/api/v1/runs/{submitted['id']}"))["state"] == "accepted"
            await own_temporal.start()
            await people.run(submitted["id"], "applied")

    async def test_restarted_during_a_run_changes_nothing_about_it(
        self,
        make_installation: Callable[[], Installation],
        own_temporal: TemporalServer,
        services: Services,
        people: People,
    ) -> None:
        module = await publish_module(services, people.caller, A_SHORT_WAIT)
        settings_file = make_installation().settings_file(own_temporal.address)
        async with working(settings_file, await connect(own_temporal)):
            submitted = await people.post(
                "/api/v1/runs", {"deployment": "one", "module": module.as_json(), "auto_apply": True}
            )
            await people.log_with(submitted["id"], "it takes its time")
            await own_temporal.stop()
            await own_temporal.start()
            await people.run(submitted["id"], "applied")
        steps = (await people.get(f"/api/v1/runs/{submitted['id']}"))["steps"]
        assert [(step["phase"], step["attempt"]) for step in steps] == [("plan", 1), ("apply", 1)]


class TestWorkflowTerminated:
    async def test_by_hand_the_next_wake_goes_on_from_the_rows(
        self, settings_file: Path, temporal_client: Client, services: Services, people: People
    ) -> None:
        module = await publish_module(services, people.caller, A_MODULE)
        async with working(settings_file, temporal_client):
            submitted = await people.post(
                "/api/v1/runs",
                {
                    "deployment": "one",
                    "module": module.as_json(),
                    "inputs": {"name": "anna"},
                    "secret_inputs": {"password": "p"},
                },
            )
            await people.run(submitted["id"], "awaiting_approval")
            await temporal_client.get_workflow_handle(f"run:{submitted['id']}").terminate("by hand, in the Web UI")
            await people.post(f"/api/v1/runs/{submitted['id']}/approve", {})
            await people.run(submitted["id"], "applied")


class TestTemporalWiped:
    async def test_every_run_still_comes_to_its_end(
        self,
        make_installation: Callable[[], Installation],
        tmp_path: Path,
        temporal_client: Client,
        settings_file: Path,
        services: Services,
        database: Database,
        people: People,
    ) -> None:
        module = await publish_module(services, people.caller, A_MODULE)
        body: dict[str, object] = {
            "module": module.as_json(),
            "inputs": {"name": "anna"},
            "secret_inputs": {"password": "p"},
        }
        async with working(settings_file, temporal_client):
            waiting = await people.post("/api/v1/runs", body | {"deployment": "one"})
            changed: dict[str, object] = {"deployment": "one", "inputs": {"name": "otto"}}
            next_in_line = await people.post("/api/v1/runs", body | changed)
            other = await people.post("/api/v1/runs", body | {"deployment": "other"})
            await people.run(waiting["id"], "awaiting_approval")
            await people.run(other["id"], "awaiting_approval")
            await people.run(next_in_line["id"], "queued")
        async with database.transaction(people.caller.scope) as session:
            # As if the wakes of these had been delivered to the server that is no more.
            await session.execute(
                text(
                    "UPDATE run SET decision = 'approved', decided_at = now(), decision_step_id = plan_step_id, "
                    "due_at = now() - interval '2 minutes' WHERE state = 'awaiting_approval'"
                )
            )
        async with TemporalServer(tmp_path) as another:
            file = make_installation().settings_file(another.address)
            # The dispatcher makes the tick, which runs at once and wakes what is overdue.
            async with working(file, await connect(another)):
                await people.run(waiting["id"], "applied")
                await people.run(other["id"], "applied")
                await people.run(next_in_line["id"], "awaiting_approval")


# It says a secret all the time, in a way that no CLI masks.
A_LOUD_MODULE = {
    "main.tf": """
variable "password" {
  type      = string
  sensitive = true
}
resource "terraform_data" "first" {
  input = "made at once"
}
resource "terraform_data" "loud" {
  depends_on = [terraform_data.first]
  provisioner "local-exec" {
    command = "for i in $(seq 3000); do echo it says $i ${nonsensitive(var.password)}; sleep 0.05; done"
  }
}
"""
}


class TestWorkerKilled:
    @pytest.mark.parametrize("engine", ["terraform", "opentofu"])
    async def test_during_an_apply_its_runner_keeps_what_was_made_and_the_lock_is_free(
        self,
        make_installation: Callable[[], Installation],
        temporal: TemporalServer,
        temporal_client: Client,
        services: Services,
        database: Database,
        people: People,
        engine: str,
    ) -> None:
        module = await publish_module(services, people.caller, A_LONG_MODULE)
        settings_file = make_installation().settings_file(temporal.address)
        async with command(settings_file, "worker") as worker:
            submitted = await people.post(
                "/api/v1/runs",
                {"deployment": "one", "module": module.as_json(), "engine": engine, "auto_apply": True},
            )
            await people.log_with(submitted["id"], "it takes its time")
            family = psutil.Process(worker.pid).children(recursive=True)
            worker.send_signal(signal.SIGKILL)
            await worker.wait()
        _, alive = await asyncio.to_thread(psutil.wait_procs, family, LONGEST)
        assert alive == []
        async with working(settings_file, temporal_client):
            failed = await people.run(submitted["id"], "failed")
            assert "worker died" in failed["error_message"]
            path = f"/api/v1/deployments/{submitted['deployment_id']}"
            assert (await people.get(f"{path}/states"))["items"], "what was made is in no state"
            async with database.transaction(people.caller.scope) as session:
                assert await session.scalar(text("SELECT count(*) FROM deployment_lock")) == 0
            destroy = {"deployment": "one", "operation": "destroy", "auto_apply": True}
            following = await people.post("/api/v1/runs", destroy)
            assert (await people.run(following["id"], "applied"))["changes_remove"] >= 1

    # tofu writes its state at the end, and every 20 seconds before; so it is left its guard, which ends it well.
    @pytest.mark.parametrize(("engine", "killed_too"), [("terraform", {"guard", "cli"}), ("opentofu", set())])
    async def test_with_its_runner_the_next_one_stores_all_that_lies_there_and_deletes_it(
        self,
        make_installation: Callable[[], Installation],
        temporal: TemporalServer,
        temporal_client: Client,
        services: Services,
        database: Database,
        people: People,
        engine: str,
        killed_too: set[str],
    ) -> None:
        module = await publish_module(services, people.caller, A_LOUD_MODULE)
        installation = make_installation()
        settings_file = installation.settings_file(temporal.address)
        shorter = {'"20s"': '"9s"', '"10s"': '"6s"'}  # lease and deadline: both are waited for
        for longer, short in shorter.items():
            settings_file.write_text(settings_file.read_text().replace(longer, short))
        async with command(settings_file, "worker") as worker:
            request = {"deployment": "one", "module": module.as_json(), "engine": engine, "auto_apply": True}
            inputs = {"secret_inputs": {"password": "a-password-in-the-log"}}
            submitted = await people.post("/api/v1/runs", request | inputs)
            await people.log_with(submitted["id"], "it says 3")
            family = psutil.Process(worker.pid).children(recursive=True)
            [runner] = [process for process in family if "workers.runner" in words_of(process)]
            runner.suspend()
            [log] = (installation.folder / "runs").glob("*/log")
            said = log.read_text().count("it says")
            async with asyncio.timeout(LONGEST):
                while log.read_text().count("it says") < said + 20:  # noqa: ASYNC110  the CLI tells nobody
                    await asyncio.sleep(0.05)
            [guard] = runner.children()
            others = {"guard": guard, "cli": guard.children()[0]}
            worker.kill()
            for process in (runner, *(others[name] for name in killed_too)):
                process.kill()
            await worker.wait()
        _, alive = await asyncio.to_thread(psutil.wait_procs, family, LONGEST)
        assert alive == []
        raw = log.read_text()
        before = await people.log(submitted["id"])
        assert len(list((installation.folder / "runs").iterdir())) == 2
        async with working(settings_file, temporal_client):
            async with asyncio.timeout(LONGEST):
                while list((installation.folder / "runs").iterdir()):  # noqa: ASYNC110  another task deletes
                    await asyncio.sleep(0.05)
            # Temporal would say so when the activity's heartbeat has been missed for long enough.
            await services.provisioning.moves.advance(
                RunReference(organization_id=people.caller.scope.organization_id, run_id=UUID(submitted["id"]))
            )
            await people.run(submitted["id"], "needs_attention")
        after = await people.log(submitted["id"])
        numbers = [int(number) for number in re.findall(r"\(local-exec\): it says (\d+)", after)]
        assert numbers == list(range(1, numbers[-1] + 1))
        assert f"it says {numbers[-1]} " in raw
        assert f"it says {numbers[-1] + 1} " not in raw
        assert f"it says {numbers[-1]} " not in before
        assert "a-password-in-the-log" in raw
        assert "a-password-in-the-log" not in after
        path = f"/api/v1/deployments/{submitted['deployment_id']}"
        # One, or two where the CLI wrote another after its twenty seconds: the newest has what was made.
        newest, *_ = (await people.get(f"{path}/states"))["items"]
        async with database.transaction(people.caller.scope) as session:
            quarantined = await session.scalar(text("SELECT count(*) FROM state_quarantine"))
            live_keys = await session.scalar(
                text("SELECT count(*) FROM api_key WHERE kind = 'run' AND revoked_at IS NULL")
            )
        assert (quarantined, live_keys) == (0, 0)
        assert newest["serial"] > 0
