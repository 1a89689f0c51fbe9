"""What doctor finds: each thing that can be wrong is made wrong, and the finding says what to do."""

import asyncio
import base64
import json
import shutil
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final
from uuid import UUID

import httpx2
import psycopg
import pytest
from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from cli.output import Output
from cli.servers import checks, running
from cli.servers.blobs import check
from cli.servers.findings import Finding
from config.secrets import Secrets, make_key_file
from config.settings import (
    DEVELOPMENT_SECRETS,
    BlobSettings,
    DatabaseSettings,
    RegistrySettings,
    RunnerSettings,
    S3Settings,
    SecretSettings,
    Settings,
    TemporalSettings,
)
from domain.blobs import BlobStoreState
from domain.errors import SealBroken, ToolMissing
from domain.ids import new_id
from domain.provisioning.errors import SandboxMissing
from domain.provisioning.steps import Sandbox
from domain.registry.documents import VersionReference
from domain.scope import PLATFORM as PLATFORM_ACTOR
from domain.scope import Scope
from integrations.embedded.ports import LOOPBACK, free_port
from integrations.embedded.postgresql import APP, OWNER, PLATFORM, PostgreSQL
from integrations.embedded.temporal import TemporalServer
from services.all import Services
from services.secrets import SealedKind
from storage import inspection
from storage.blobs import index
from storage.blobs.s3 import Bucket
from storage.database import Database
from storage.migrations.upgrade import upgrade
from tests.factories.modules import publish_module
from tests.factories.organizations import Caller
from tests.factories.registry import MODULES, a_module, claim_namespace, publish
from tests.factories.runs import Driver
from tests.fixtures.platform import end_other_runs
from tests.fixtures.s3 import S3Server
from tests.storage.blobs.contract import pieces
from workers.composition import check_key, keep_in_step, open_blobs, open_database, open_services
from workers.runner.sandbox import sandbox_arguments

pytestmark = pytest.mark.servers
LONGEST: Final = 30.0
"""Seconds until it is surely wrong; the store is settled at once, or at the second look where all is slow."""
Given = Callable[..., Settings]


@pytest.fixture
def given(postgresql: PostgreSQL, secrets: Secrets, tmp_path: Path) -> Given:
    """Give the settings of an installation with nothing wrong, changed where a test says so."""
    names = ("key_encryption_key", "pepper", "signing_key", "previous_signing_key")
    keys = {name: tmp_path / name for name in names}
    for name, path in keys.items():
        path.write_bytes(base64.b64encode(getattr(secrets, name)))
        path.chmod(0o600)

    def _given(database: str | None = None, **changes: object) -> Settings:
        urls = (
            postgresql.url(role) if database is None else postgresql.url(role, database)
            for role in (APP, PLATFORM)
        )
        app, platform = map(SecretStr, urls)
        settings = Settings(
            environment="development",
            database=DatabaseSettings(app_url=app, platform_url=platform),
            registry=RegistrySettings(
                hostname="registry.acme.example", public_url="https://registry.acme.example"
            ),
            secrets=SecretSettings(
                key_encryption_key_file=keys["key_encryption_key"],
                pepper_file=keys["pepper"],
                signing_key_file=keys["signing_key"],
                previous_signing_key_file=keys["previous_signing_key"],
            ),
            blobs=BlobSettings(path=tmp_path / "blobs"),
            runner=RunnerSettings(work_path=tmp_path / "runs", sandbox="none"),
        )
        return settings.model_copy(update=changes)

    return _given


@pytest.fixture
def ready_api() -> Iterator[str]:
    """Answer as an API that is ready does; give its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = b'{"status": "ok", "database": "connected"}'
            self.send_response(200 if self.path == "/readyz" else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer((LOOPBACK, 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://{LOOPBACK}:{server.server_port}"
        server.shutdown()
        thread.join()


def by_name(findings: list[Finding]) -> dict[str, Finding]:
    return {finding.name: finding for finding in findings}


def in_the_bucket(bucket: Bucket, folder: Path) -> BlobSettings:
    return BlobSettings(
        path=folder,
        s3=S3Settings(
            endpoint=bucket.endpoint,
            bucket=bucket.name,
            access_key=bucket.access_key,
            secret_key=SecretStr(bucket.secret_key),
        ),
    )


async def seal_something(settings: Settings) -> None:
    async with open_services(settings) as services:
        await services.tenants.organizations.bootstrap("you@example.com")
        database = open_database(settings)
        async with database.platform("find the operators") as session:
            organization_id = (await session.execute(text("SELECT id FROM organization"))).scalar_one()
        await database.close()
        await services.envelope.seal(
            Scope(organization_id, PLATFORM_ACTOR), SealedKind.STATE, "a-thing", b"a secret"
        )


class TestRoles:
    def test_the_products_own_are_fine(self, given: Given) -> None:
        assert all(finding.ok for finding in checks.roles(given()))

    def test_a_server_that_logs_in_as_owner_is_told(self, given: Given, postgresql: PostgreSQL) -> None:
        owner = SecretStr(postgresql.owner_url)
        as_owner = given().model_copy(update={"database": DatabaseSettings(app_url=owner, platform_url=owner)})
        findings = checks.roles(as_owner)
        finding = by_name(findings)[f"role {OWNER}"]
        assert (finding.ok, finding.state) == (False, "owns tables")


class TestDatabase:
    def test_a_migrated_one_is_fine(self, given: Given, empty_database: str, postgresql: PostgreSQL) -> None:
        upgrade(postgresql.url(OWNER, empty_database))
        findings = checks.database(given(empty_database))
        assert [finding for finding in findings if not finding.ok] == []

    def test_one_that_was_not_migrated_is_told_the_command(self, given: Given, empty_database: str) -> None:
        finding = by_name(checks.database(given(empty_database)))["migrations"]
        assert (finding.ok, finding.state) == (False, "at nothing")
        assert finding.advice.startswith("`groundwork migrate` brings it to ")

    @pytest.mark.parametrize(("taken", "good"), [(80, True), (81, False)])
    def test_connections_that_run_out_are_found(
        self, given: Given, monkeypatch: pytest.MonkeyPatch, taken: int, *, good: bool
    ) -> None:
        monkeypatch.setattr(inspection, "connections", lambda _url: (taken, 100))
        finding = by_name(checks.database(given()))["connections"]
        assert (finding.ok, finding.state) == (good, f"{taken} of 100 are taken")

    def test_rows_in_the_default_partition_are_found(
        self, given: Given, empty_database: str, postgresql: PostgreSQL
    ) -> None:
        upgrade(postgresql.url(OWNER, empty_database))
        with psycopg.connect(postgresql.url(OWNER, empty_database).replace("+psycopg", "")) as connection:
            connection.execute(
                """
                INSERT INTO audit_event_default
                    (organization_id, occurred_at, id, actor, action, target, outcome, changes, canonical)
                SELECT gen_random_uuid(), '2001-01-01', gen_random_uuid(), '{}', 'a', '{}', 'success', '{}', ''
                """
            )
        finding = by_name(checks.database(given(empty_database)))["audit partitions"]
        assert (finding.ok, finding.state) == (False, "the default partition holds rows")


class TestTemporal:
    def test_one_with_everything_is_fine(self, given: Given, temporal: TemporalServer) -> None:
        (finding,) = checks.temporal(given(temporal=TemporalSettings(address=temporal.address)))
        assert finding.ok

    def test_a_namespace_that_is_not_there_is_told_the_command(
        self, given: Given, temporal: TemporalServer
    ) -> None:
        there = TemporalSettings(address=temporal.address, namespace="unheard-of")
        (finding,) = checks.temporal(given(temporal=there))
        assert (finding.ok, finding.advice) == (False, "`groundwork migrate` registers it")

    def test_says_where_its_web_ui_is(self, given: Given, temporal: TemporalServer) -> None:
        there = TemporalSettings(address=temporal.address, web_url="https://temporal.acme.example")
        (finding,) = checks.temporal(given(temporal=there))
        assert "Web UI at https://temporal.acme.example" in finding.state

    def test_one_that_does_not_answer_is_said_with_its_address(self, given: Given) -> None:
        address = f"{LOOPBACK}:{free_port()}"
        (finding,) = checks.temporal(given(temporal=TemporalSettings(address=address)))
        assert not finding.ok
        assert finding.state.startswith(address)


class TestFiles:
    def test_folders_that_can_be_made_are_fine(self, given: Given) -> None:
        assert all(finding.ok for finding in (*checks.blobs(given()), *checks.runs(given())))

    def test_a_disk_that_is_nearly_full_is_found(self, given: Given, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(checks, "LEAST_FREE", shutil.disk_usage(Path("/")).total + 1)
        (finding,) = checks.runs(given())
        assert (finding.ok, finding.advice) == (False, "make room on that disk, or move the folder")

    def test_a_folder_that_can_not_be_written_is_found(self, given: Given, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        (finding,) = checks.blobs(given(blobs=BlobSettings(path=tmp_path / "file" / "blobs")))
        assert not finding.ok
        assert str(tmp_path / "file") in finding.advice

    async def test_a_bucket_that_answers_is_fine(self, given: Given, s3: S3Server, tmp_path: Path) -> None:
        settings = given(blobs=in_the_bucket(await s3.make_bucket(), tmp_path))
        assert all(finding.ok for finding in await asyncio.to_thread(checks.blobs, settings))

    async def test_a_bucket_that_is_missing_or_takes_another_key_is_told(
        self, given: Given, s3: S3Server, tmp_path: Path
    ) -> None:
        there = (await s3.make_bucket()).name
        for bucket in (s3.bucket("not-there"), s3.bucket(there, secret_key="another")):
            settings = given(blobs=in_the_bucket(bucket, tmp_path))
            finding = by_name(await asyncio.to_thread(checks.blobs, settings))["bucket"]
            assert f"{bucket.endpoint}/{bucket.name}: " in finding.state
            assert "blobs.s3.bucket" in finding.advice


class TestSecrets:
    def test_keys_of_their_user_alone_are_fine(self, given: Given) -> None:
        assert all(finding.ok for finding in checks.secrets(given()))

    def test_a_key_that_others_can_read_is_told_the_command(self, given: Given, tmp_path: Path) -> None:
        (tmp_path / "pepper").chmod(0o644)
        finding = by_name(checks.secrets(given()))["secret pepper"]
        assert (finding.ok, finding.advice) == (False, f"chmod 600 {tmp_path / 'pepper'}")

    def test_a_key_that_opens_nothing_of_what_is_stored_is_found(
        self, given: Given, empty_database: str, postgresql: PostgreSQL, tmp_path: Path
    ) -> None:
        upgrade(postgresql.url(OWNER, empty_database))
        settings = given(empty_database)
        asyncio.run(seal_something(settings))
        assert by_name(checks.secrets(settings))["key-encryption key"].ok
        (tmp_path / "key_encryption_key").unlink()
        make_key_file(tmp_path / "key_encryption_key")
        finding = by_name(checks.secrets(settings))["key-encryption key"]
        assert not finding.ok
        assert "restore that file from a backup" in finding.advice
        with pytest.raises(SealBroken, match="key_encryption_key_file"):
            asyncio.run(check_key(settings))

    def test_what_a_key_opens_is_unknown_while_the_database_is_away(self, given: Given) -> None:
        nowhere = SecretStr("postgresql+psycopg://nobody@127.0.0.1:1/none")
        away = given(database=DatabaseSettings(app_url=nowhere, platform_url=nowhere))
        finding = by_name(checks.secrets(away))["key-encryption key"]
        assert (finding.ok, finding.state) == (False, "unknown while the database is away")

    @pytest.mark.parametrize("name", ["pepper", "previous_signing_key"])
    def test_a_file_that_holds_no_key_is_found(self, given: Given, tmp_path: Path, name: str) -> None:
        (tmp_path / name).write_text("changeme")
        finding = by_name(checks.secrets(given()))["secrets"]
        assert not finding.ok
        assert str(tmp_path / name) in finding.state


class TestSandbox:
    def test_says_that_with_bubblewrap_runs_are_refused(self, given: Given) -> None:
        (finding,) = checks.sandbox(given(runner=RunnerSettings(sandbox="bubblewrap")))
        with pytest.raises(SandboxMissing) as refused:
            sandbox_arguments(Sandbox.BUBBLEWRAP)
        assert (finding.ok, finding.advice) == (False, refused.value.detail)


class TestTools:
    def test_a_temporal_to_start_is_looked_for_only_where_groundwork_dev_starts_one(
        self, given: Given, tmp_path: Path
    ) -> None:
        assert "temporal" not in by_name(checks.tools(given()))
        key = tmp_path / DEVELOPMENT_SECRETS / "key"
        secrets = given().secrets.model_copy(update={"key_encryption_key_file": key})
        assert "temporal" in by_name(checks.tools(given(secrets=secrets)))

    def test_one_engine_is_enough(self, given: Given, monkeypatch: pytest.MonkeyPatch) -> None:
        def only_tofu(name: str) -> Path:
            if name == "terraform":
                raise ToolMissing("terraform was not found")
            return Path(name)

        monkeypatch.setattr(checks, "find_tool", only_tofu)
        monkeypatch.setattr(checks, "version_of", lambda *_: (1, 12, 6))
        assert all(finding.ok for finding in checks.tools(given()))

    def test_none_at_all_is_told_how_to_get_one(self, given: Given, monkeypatch: pytest.MonkeyPatch) -> None:
        def nothing(name: str) -> Path:
            raise ToolMissing(f"{name} was not found")

        monkeypatch.setattr(checks, "find_tool", nothing)
        advice = by_name(checks.tools(given()))["tofu"].advice
        assert "`make tools NAMES=tofu`" in advice


class TestDocuments:
    def test_that_can_be_read_here_are_fine(self, given: Given) -> None:
        [finding] = checks.documents(given())
        assert finding.ok
        assert finding.state.startswith("can be read, by OpenTofu 1.")

    @pytest.mark.parametrize(
        ("script", "reason"),
        [("echo OpenTofu v1.10.9", "has 1.10.9; documents need"), ("echo OpenTofu v1.11.0", "can't be asked")],
        ids=["too old", "a script"],
    )
    def test_that_can_not_are_told_with_what_to_do(
        self, given: Given, tmp_path: Path, script: str, reason: str
    ) -> None:
        tofu = tmp_path / "tofu"
        tofu.write_text(f"#!/bin/sh\n{script}\n")
        tofu.chmod(0o700)
        chosen = RunnerSettings(work_path=tmp_path / "runs", sandbox="none", tofu_path=tofu)
        [finding] = checks.documents(given(runner=chosen))
        assert reason in finding.state
        assert "runner.tofu_path" in finding.advice

    async def test_workers_read_them_with_the_tofu_that_is_chosen(
        self, given: Given, tmp_path: Path, client: httpx2.AsyncClient, caller: Caller
    ) -> None:
        answer = await publish(client, caller, MODULES, a_module(await claim_namespace(client, caller)))
        reference = VersionReference(
            organization_id=caller.organization.id, module_version_id=UUID(answer.json()["id"])
        )
        chosen = RunnerSettings(work_path=tmp_path / "runs", sandbox="none", tofu_path=tmp_path / "tofu")
        async with open_services(given(runner=chosen)) as services:
            with pytest.raises(ToolMissing, match=f"{tmp_path}/tofu has no version"):
                await services.registry.documents.read(reference)
        finding = by_name(await asyncio.to_thread(running.work, given()))["oldest documents that can't be read"]
        assert f"{tmp_path}/tofu has no version" in finding.state
        assert not finding.ok


class TestApi:
    def test_one_that_is_ready_is_fine(self, given: Given, ready_api: str) -> None:
        (finding,) = running.api(at(given(), ready_api))
        assert (finding.ok, finding.state) == (True, f"{ready_api} answers: database connected")

    def test_one_that_does_not_answer_is_told_with_what_to_do(self, given: Given) -> None:
        (finding,) = running.api(at(given(), f"http://{LOOPBACK}:{free_port()}"))
        assert not finding.ok
        assert finding.advice.startswith("start `groundwork api`")


class TestBlobStore:
    @pytest.fixture
    async def own(self, given: Given, postgresql: PostgreSQL, empty_database: str) -> Settings:
        """Give the settings of an installation that has started once, and has three blobs."""
        upgrade(postgresql.url(OWNER, empty_database))
        settings = given(empty_database)
        async with open_services(settings) as services:
            started = asyncio.create_task(keep_in_step(settings, services))
            async with asyncio.timeout(LONGEST):
                while await services.blobs.look() is not BlobStoreState.OK:
                    pass
            started.cancel()
            await asyncio.gather(started, return_exceptions=True)
        database = open_database(settings)
        for content in (b"x", b"y", b"z"):
            async with database.platform("note a blob") as session:
                await index.add(session, dict([await open_blobs(settings).put(pieces(content), limit=1)]))
        await database.close()
        return settings

    async def test_is_fine_while_it_has_what_the_database_knows(self, own: Settings) -> None:
        [finding] = await asyncio.to_thread(checks.stored, own)
        assert (finding.ok, finding.state) == (True, "3 blobs were read at random and are whole")

    async def test_of_a_damaged_one_says_which_blobs(
        self, own: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        path = next(path for path in (own.blobs.path / "sha256").rglob("*") if path.is_file())
        path.write_bytes(b"other")
        [finding] = await asyncio.to_thread(checks.stored, own)
        assert f"of 3 blobs, read at random, 1: {path.name} is damaged" in finding.state
        assert "groundwork blobs check" in finding.advice
        monkeypatch.setattr("cli.servers.blobs.begin_process", lambda: own)
        assert await check(output=Output(json=True)) == 1
        told = json.loads(capsys.readouterr().out)
        assert told == {
            "store": "ok",
            "read": 3,
            "bytes": 3,
            "bad": [{"sha256": path.name, "size": 1, "problem": "damaged"}],
        }
        path.unlink()
        assert await check() == 1
        said = capsys.readouterr()
        assert said.out.startswith(f"lost  {path.name}  1 byte")
        assert said.err.startswith("reading 3 of 3 blobs")
        assert await check(sample=0) == 0

    async def test_of_an_empty_one_says_what_to_do(self, own: Settings, tmp_path: Path) -> None:
        elsewhere = own.model_copy(update={"blobs": BlobSettings(path=tmp_path / "elsewhere")})
        [finding] = await asyncio.to_thread(checks.stored, elsewhere)
        assert (finding.ok, finding.state) == (False, "it is empty")
        assert "blobs.path" in finding.advice


class TestWork:
    async def test_a_queue_that_nobody_works_on_is_told_with_the_command(
        self, given: Given, services: Services, database: Database
    ) -> None:
        async with database.platform("forget others' workers and wakes") as session:
            await session.execute(text("DELETE FROM worker"))
            await session.execute(text("DELETE FROM outbox"))
        await services.provisioning.workers.beat(new_id(), "a-host", ["terraform"], 5)
        findings = by_name(await asyncio.to_thread(running.work, given()))
        assert findings["queue terraform"].ok
        assert findings["queue terraform"].state.startswith("1 worker with 5 slots, ")
        assert findings["queue control"].advice.startswith("start `groundwork worker --queue control`")
        assert findings["delivery"].state == "no wake waits"

    async def test_names_the_oldest_run_and_wake_with_what_kept_it(
        self, given: Given, services: Services, caller: Caller, database: Database, owner: AsyncEngine
    ) -> None:
        await end_other_runs(owner)
        driver = Driver(services, caller.scope, await publish_module(services, caller, {"main.tf": ""}))
        run = await driver.submit()
        async with database.platform("a wake that could not be delivered") as session:
            await session.execute(
                text(
                    "UPDATE outbox SET attempts = 7, last_error = 'what Temporal said', "
                    "created_at = now() - interval '1 hour' WHERE area = 'provisioning'"
                )
            )
        findings = by_name(await asyncio.to_thread(running.work, given()))
        whose = f"of organization {caller.organization.id}"
        told = f"run:{run.id} {whose}, 7 attempts failed, last error: what Temporal said"
        assert (findings["delivery"].ok, findings["delivery"].state.endswith(told)) == (False, True)
        assert findings["oldest that no worker is at"].state.startswith(f"run {run.id} {whose}, accepted for ")

    async def test_a_tick_that_did_not_come_is_told(self, given: Given, database: Database) -> None:
        async with database.platform("forget the ticks") as session:
            await session.execute(text("DELETE FROM tick"))
        finding = by_name(await asyncio.to_thread(running.work, given()))["tick"]
        assert (finding.ok, finding.state) == (False, "looked after nothing yet")


def at(settings: Settings, url: str) -> Settings:
    """Change where the API is reached."""
    return settings.model_copy(update={"registry": settings.registry.model_copy(update={"public_url": url})})
