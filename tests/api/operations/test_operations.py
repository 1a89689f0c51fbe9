"""Probes and health."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import httpx2
import pytest
import structlog
from asgi_lifespan import LifespanManager
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from api.app import create_app
from config.secrets import Secrets
from domain.ids import new_id
from domain.long_work import TickReport
from domain.provisioning.run_states import RunState
from integrations.embedded.postgresql import PostgreSQL
from services.all import Services
from services.operations import PATIENCE
from storage.blobs.local import LocalBlobStore
from storage.database import PLATFORM_ROLE, POOL_SECONDS, Database, Session
from storage.migrations.upgrade import head
from tests.factories.modules import publish_module
from tests.factories.organizations import Caller
from tests.factories.runs import Driver
from tests.factories.services import make_services
from tests.fixtures.platform import end_other_runs

pytestmark = pytest.mark.servers


@pytest.fixture(autouse=True)
def look_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.operations.REMEMBERED", 0)


@pytest.fixture
async def client_without_database(secrets: Secrets, blobs: LocalBlobStore) -> AsyncIterator[httpx2.AsyncClient]:
    nowhere = "postgresql+psycopg://nobody@127.0.0.1:1/none"
    app = create_app(make_services(Database(nowhere, nowhere), secrets, blobs))
    async with LifespanManager(app) as running:
        transport = httpx2.ASGITransport(app=running.app, raise_app_exceptions=False)
        async with httpx2.AsyncClient(transport=transport, base_url="http://test") as made:
            yield made


async def hear_and_say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()
    writer.close()
    await writer.wait_closed()


async def tick_words(client: httpx2.AsyncClient) -> tuple[str, ...]:
    ready, health = [(await client.get(path)).json() for path in ("/readyz", "/api/v1/health")]
    return ready["status"], ready["tick"], health["tick"]


class TestProbes:
    async def test_need_no_key(self, client: httpx2.AsyncClient) -> None:
        for path in ("/livez", "/readyz", "/healthz", "/version", "/api/v1/health"):
            assert (await client.get(path)).status_code == 200, path

    async def test_without_a_database_the_process_lives_and_is_not_ready(
        self, client_without_database: httpx2.AsyncClient
    ) -> None:
        answers = {
            path: await client_without_database.get(path)
            for path in ("/livez", "/readyz", "/healthz", "/api/v1/health")
        }
        assert {path: answer.status_code for path, answer in answers.items()} == {
            "/livez": 200,
            "/readyz": 503,
            "/healthz": 503,
            "/api/v1/health": 503,
        }
        assert answers["/readyz"].json()["database"] == "unavailable"
        assert answers["/api/v1/health"].json()["status"] == "unhealthy"

    async def test_what_nobody_knows_without_a_database_is_unknown(
        self, client_without_database: httpx2.AsyncClient
    ) -> None:
        answer = (await client_without_database.get("/readyz")).json()
        assert answer == {
            "status": "failed",
            "database": "unavailable",
            "migrations": "unknown",
            "blobs": "unknown",
            "temporal": "unknown",
            "tick": "unknown",
        }

    async def test_the_log_says_once_why_the_database_is_away(
        self, client_without_database: httpx2.AsyncClient
    ) -> None:
        with structlog.testing.capture_logs() as lines:
            for path in ("/readyz", "/api/v1/health", "/readyz"):
                await client_without_database.get(path)
        [line] = lines
        assert (line["event"], line["server"]) == ("server_away", "PostgreSQL")
        assert line["reason"].startswith("OperationalError: connection failed")

    @pytest.mark.parametrize(("revision", "answer"), [("0001", (503, "behind")), ("9999", (200, "current"))])
    async def test_a_schema_that_is_older_is_not_served_and_one_of_a_later_release_is(
        self, client: httpx2.AsyncClient, owner: AsyncEngine, revision: str, answer: tuple[int, str]
    ) -> None:
        change = text("UPDATE alembic_version SET version_num = :revision")
        async with owner.begin() as connection:
            await connection.execute(change, {"revision": revision})
        try:
            told = await client.get("/readyz")
        finally:
            async with owner.begin() as connection:
                await connection.execute(change, {"revision": head()})
        assert (told.status_code, told.json()["migrations"]) == answer

    async def test_a_database_that_hangs_is_not_waited_for_whatever_key_is_sent(
        self, secrets: Secrets, blobs: LocalBlobStore, caller: Caller
    ) -> None:
        silent = await asyncio.start_server(hear_and_say_nothing, "127.0.0.1", 0)
        port = silent.sockets[0].getsockname()[1]
        database = Database(*[f"postgresql+psycopg://nobody@127.0.0.1:{port}/none"] * 2)
        app = create_app(make_services(database, secrets, blobs))
        async with (
            silent,
            LifespanManager(app) as running,
            httpx2.AsyncClient(transport=httpx2.ASGITransport(app=running.app), base_url="http://test") as client,
            asyncio.timeout(PATIENCE + 1),
        ):
            answer = await client.get("/readyz", headers=caller.headers)
        assert (answer.status_code, answer.json()["database"]) == (503, "unavailable")

    async def test_a_database_that_takes_no_changes_is_told_and_can_still_be_read(
        self, postgresql: PostgreSQL, owner: AsyncEngine, secrets: Secrets, blobs: LocalBlobStore
    ) -> None:
        connecting = Database(postgresql.app_url, postgresql.platform_url)
        app = create_app(make_services(connecting, secrets, blobs))
        async with (
            LifespanManager(app) as running,
            httpx2.AsyncClient(transport=httpx2.ASGITransport(app=running.app), base_url="http://test") as client,
        ):
            try:
                async with owner.begin() as connection:  # of connections that are made from now on
                    role = f"ALTER ROLE {PLATFORM_ROLE} "
                    await connection.execute(text(f"{role} SET default_transaction_read_only = on"))
                ready, health = [await client.get(path) for path in ("/readyz", "/api/v1/health")]
            finally:
                async with owner.begin() as connection:
                    await connection.execute(text(f"{role} RESET default_transaction_read_only"))
        await connecting.close()
        assert (ready.status_code, ready.json()["status"], ready.json()["database"]) == (
            200,
            "degraded",
            "read_only",
        )
        assert (health.status_code, health.json()["status"]) == (200, "degraded")
        assert any(sentence.startswith("the database takes no changes") for sentence in health.json()["advice"])

    async def test_are_answered_from_memory_for_a_while_however_many_ask(
        self, database: Database, secrets: Secrets, blobs: LocalBlobStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("services.operations.REMEMBERED", 3600)
        services = make_services(database, secrets, blobs)
        await services.blobs.settle()
        asked: list[str] = []

        @asynccontextmanager
        async def counted(reason: str) -> AsyncIterator[Session]:
            asked.append(reason)
            async with Database.probe(database, reason) as session:
                yield session

        monkeypatch.setattr(database, "probe", counted)
        app = create_app(services)
        async with (
            LifespanManager(app) as running,
            httpx2.AsyncClient(transport=httpx2.ASGITransport(app=running.app), base_url="http://test") as client,
        ):
            await asyncio.gather(*(client.get(path) for path in ["/readyz", "/healthz", "/api/v1/health"] * 5))
        assert sorted(asked) == ["health", "look at the blob store", "readiness"]

    async def test_are_answered_while_requests_have_all_connections(
        self, postgresql: PostgreSQL, secrets: Secrets, blobs: LocalBlobStore
    ) -> None:
        small = Database(postgresql.app_url, postgresql.platform_url, pool_size=1)
        operations = make_services(small, secrets, blobs).operations
        async with asyncio.timeout(POOL_SECONDS / 2), small.platform("one"), small.platform("another"):
            health, measures = await asyncio.gather(operations.health(), operations.measure())
        await small.close()
        assert (health.readiness.ready, health.outbox_age is not None) == (True, True)
        assert measures.queues


class TestRequestLog:
    async def test_a_request_is_one_line_by_its_routes_pattern_and_a_probe_none(
        self, client: httpx2.AsyncClient, caller: Caller
    ) -> None:
        run_id = new_id()
        with structlog.testing.capture_logs(processors=[structlog.contextvars.merge_contextvars]) as lines:
            await client.get(f"/api/v1/runs/{run_id}", headers=caller.headers | {"X-Request-ID": "mine-1"})
            await client.get("/readyz")
        (line,) = [line for line in lines if line["event"] == "request"]
        assert (line["method"], line["route"], line["status"]) == ("GET", "/api/v1/runs/{run_id}", 404)
        assert (line["request_id"], line["organization_id"]) == ("mine-1", str(caller.organization.id))
        assert line["milliseconds"] > 0
        assert str(run_id) not in str(line)

    async def test_of_a_method_that_its_path_does_not_take_has_the_pattern_too(
        self, client: httpx2.AsyncClient
    ) -> None:
        with structlog.testing.capture_logs() as lines:
            await client.delete(f"/api/v1/runs/{new_id()}")
            await client.get("/api/v1/nothing")
        told = [(line["route"], line["status"]) for line in lines if line["event"] == "request"]
        assert told == [("/api/v1/runs/{run_id}", 405), ("none", 404)]

    async def test_what_could_not_be_served_is_a_warning_with_its_code(
        self, client_without_database: httpx2.AsyncClient, caller: Caller
    ) -> None:
        with structlog.testing.capture_logs() as lines:
            headers = caller.headers | {"X-Request-ID": "mine-2"}
            await client_without_database.get("/api/v1/runs", headers=headers)
        (line,) = [line for line in lines if line["event"] == "request_not_served"]
        assert (line["log_level"], line["status"], line["code"]) == ("warning", 503, "platform.unavailable")
        assert line["request_id"] == "mine-2"
        assert line["reason"].startswith("OperationalError: connection failed")


class TestHealth:
    async def test_has_the_shape_of_the_provisioning_engines_document(self, client: httpx2.AsyncClient) -> None:
        health = (await client.get("/api/v1/health")).json()
        assert {"status", "database", "queue", "workers", "version", "timestamp"} <= set(health)
        assert health["database"] == "connected"

    async def test_counts_workers_that_gave_a_sign_of_life(
        self, client: httpx2.AsyncClient, services: Services, database: Database
    ) -> None:
        before = (await client.get("/api/v1/health")).json()["workers"]
        worker_id = new_id()
        await services.provisioning.workers.beat(worker_id, "a-host", ["terraform"], 5)
        assert (await client.get("/api/v1/health")).json()["workers"] == before + 1
        async with database.platform("age a worker") as session:
            await session.execute(
                text("UPDATE worker SET seen_at = now() - interval '31 seconds' WHERE id = :id"), {"id": worker_id}
            )
        assert (await client.get("/api/v1/health")).json()["workers"] == before
        await services.provisioning.workers.leave(worker_id)

    async def test_a_queue_that_nobody_works_on_is_told_with_what_to_do(
        self, client: httpx2.AsyncClient, services: Services, database: Database, owner: AsyncEngine
    ) -> None:
        await end_other_runs(owner)
        async with database.platform("forget others' workers") as session:
            await session.execute(text("DELETE FROM worker"))
            await session.execute(text("DELETE FROM tick"))
        await services.upkeep.expect_ticks(["one"])
        control, terraform = new_id(), new_id()
        await services.provisioning.workers.beat(control, "a-host", ["control", "transfer"], 0)
        health = (await client.get("/api/v1/health")).json()
        assert (health["status"], health["queue"]) == ("degraded", "degraded")
        (sentence,) = health["advice"]
        assert sentence.startswith(
            "no worker of the queue terraform was heard of for 30 s: start `groundwork worker"
        )
        await services.provisioning.workers.beat(terraform, "a-host", ["terraform"], 5)
        await services.provisioning.workers.beat(new_id(), "another", ["terraform"], 3)
        health = (await client.get("/api/v1/health")).json()
        assert (health["status"], health["queue"], health["advice"]) == ("healthy", "healthy", [])
        shown = {queue["name"]: (queue["workers"], queue["slots"]) for queue in health["queues"]}
        assert shown == {"control": (1, None), "terraform": (2, 8), "transfer": (1, None)}
        async with database.platform("let them go") as session:
            await session.execute(text("DELETE FROM worker"))

    async def test_says_when_an_area_is_not_looked_after(
        self, client: httpx2.AsyncClient, services: Services, database: Database
    ) -> None:
        async with database.platform("no tick ever") as session:
            await session.execute(text("DELETE FROM tick"))
            await session.execute(text("DELETE FROM outbox"))
        said = [await tick_words(client)]
        await services.upkeep.expect_ticks(["one", "two"])
        said.append(await tick_words(client))
        async with database.platform("age a tick") as session:
            await session.execute(
                text("UPDATE tick SET looked_after_at = now() - interval '91 seconds' WHERE area = 'two'")
            )
        await services.upkeep.expect_ticks(["one", "two"])  # that it is expected makes it no younger
        said.append(await tick_words(client))
        [sentence] = [
            each for each in (await client.get("/api/v1/health")).json()["advice"] if each.startswith("the tick")
        ]
        assert "does not look after two:" in sentence
        await services.upkeep.note_tick("two", TickReport(failed=1, left=2))
        said.append(await tick_words(client))
        [sentence] = [
            each for each in (await client.get("/api/v1/health")).json()["advice"] if each.startswith("of two")
        ]
        assert "failed in 1 organizations and did not get to 2" in sentence
        await services.upkeep.note_tick("two", TickReport(succeeded=3))
        said.append(await tick_words(client))
        late, well = ("degraded", "late", "late"), ("ok", "ok", "ok")
        assert said == [late, well, late, ("degraded", "failing", "failing"), well]

    async def test_forgets_an_area_that_is_no_more(self, services: Services) -> None:
        await services.upkeep.expect_ticks(["one", "two"])
        await services.upkeep.expect_ticks(["one"])
        assert [tick.area for tick in (await services.operations.measure()).ticks] == ["one"]

    async def test_counts_the_admitted_runs_that_nobody_is_at(
        self, client: httpx2.AsyncClient, services: Services, caller: Caller, database: Database
    ) -> None:
        driver = Driver(services, caller.scope, await publish_module(services, caller, {"main.tf": ""}))

        async def waiting() -> dict[str, int]:
            queues = (await client.get("/api/v1/health")).json()["queues"]
            return {queue["name"]: queue["backlog"] for queue in queues}

        before = await waiting()
        run = await driver.submit()
        assert await waiting() == before | {"control": before["control"] + 1}
        await driver.advance(run)
        assert await waiting() == before | {"terraform": before["terraform"] + 1}
        await driver.admit(run)
        assert await waiting() == before
        async with database.transaction(caller.scope) as session:
            await session.execute(text("UPDATE run_step SET lease_expires_at = now() - interval '9 minutes'"))
            await session.execute(text("UPDATE run SET admitted_at = now() - interval '10 minutes'"))
        queues = {each["name"]: each for each in (await client.get("/api/v1/health")).json()["queues"]}
        assert queues["terraform"]["backlog"] == before["terraform"] + 1
        assert 540 <= queues["terraform"]["oldest_seconds"] < 560

    async def test_counts_the_documents_and_verifications_that_wait_and_says_which_can_not_be_read(
        self,
        client: httpx2.AsyncClient,
        services: Services,
        caller: Caller,
        owner: AsyncEngine,
        operator: dict[str, str],
    ) -> None:
        await end_other_runs(owner)
        await publish_module(services, caller, {"main.tf": ""})
        async with owner.begin() as connection:
            await connection.execute(
                text("UPDATE module_documents SET asked_at = now() - interval '9 minutes' WHERE state = 'pending'")
            )
        health = (await client.get("/api/v1/health")).json()
        [queue] = [each for each in health["queues"] if each["name"] == "transfer"]
        assert (queue["backlog"], 540 <= queue["oldest_seconds"] < 560) == (1, True)
        assert not any("documents" in sentence for sentence in health["advice"])
        async with owner.begin() as connection:
            hindered = "UPDATE module_documents SET reason = 'no tofu' WHERE state = 'pending'"
            await connection.execute(text(hindered))
        health = (await client.get("/api/v1/health")).json()
        assert any(sentence.startswith("the documents of 1 module versions") for sentence in health["advice"])
        answer = await client.get("/metrics", headers=operator)
        assert '\ngroundwork_module_documents{state="pending"} 1.0' in answer.text
        await end_other_runs(owner)

    async def test_says_when_what_was_accepted_is_not_delivered(
        self, client: httpx2.AsyncClient, services: Services, caller: Caller, database: Database
    ) -> None:
        module = await publish_module(services, caller, {"main.tf": ""})
        body = {"deployment": "one", "module": module.as_json()}
        await client.post("/api/v1/runs", json=body, headers=caller.headers)
        async with database.platform("age a wake") as session:
            await session.execute(
                text("UPDATE outbox SET created_at = now() - interval '2 minutes' WHERE organization_id = :id"),
                {"id": caller.organization.id},
            )
        assert (await client.get("/api/v1/health")).json()["queue"] == "degraded"
        ready = await client.get("/readyz")
        assert (ready.status_code, ready.json()["temporal"]) == (200, "degraded")
        async with database.platform("deliver it") as session:
            await session.execute(
                text("DELETE FROM outbox WHERE organization_id = :id"), {"id": caller.organization.id}
            )


class TestOldest:
    async def test_names_what_has_waited_longest(
        self, services: Services, caller: Caller, database: Database, owner: AsyncEngine
    ) -> None:
        await end_other_runs(owner)
        driver = Driver(services, caller.scope, await publish_module(services, caller, {"main.tf": ""}))
        deployment = f"d-{new_id().hex}"
        first = await driver.submit(deployment=deployment)
        second = await driver.submit(deployment=deployment)
        async with database.platform("a wake that could not be delivered") as session:
            await session.execute(
                text(
                    "UPDATE outbox SET attempts = 7, last_error = 'what Temporal said', "
                    "created_at = now() - interval '1 hour' WHERE workflow_id = :id"
                ),
                {"id": f"run:{first.id}"},
            )
        oldest = await services.operations.oldest()
        assert oldest.backlog is not None
        assert oldest.queued is not None
        assert (oldest.backlog.organization_id, oldest.backlog.run_id) == (caller.organization.id, first.id)
        assert (oldest.queued.run_id, oldest.queued.state, oldest.blocking) == (second.id, RunState.ACCEPTED, None)
        assert oldest.wake is not None
        assert (oldest.wake.workflow_id, oldest.wake.attempts) == (f"run:{first.id}", 7)
        assert oldest.wake.last_error == "what Temporal said"
        measured = await services.operations.measure()
        assert (measured.queued, measured.blocked) == (1, 0)
        assert measured.queued_age > timedelta()
        async with database.transaction(caller.scope) as session:
            await session.execute(text("UPDATE deployment SET blocked_by_run_id = :id"), {"id": first.id})
        blocking = (await services.operations.oldest()).blocking
        assert blocking is not None
        assert blocking.run_id == first.id
        assert (await services.operations.measure()).blocked == 1
