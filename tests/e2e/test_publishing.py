"""Publishing to real API processes: what memory it takes, who is asked for a body, and what half of one leaves."""

import asyncio
import hashlib
import http.client
import json
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from signal import SIGKILL
from urllib.parse import urlencode, urlsplit

import httpx2
import pytest
from fastapi.routing import APIRoute
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from api.app import ROUTERS
from api.routing import facts_of
from storage.blobs.local import LocalBlobStore
from storage.database import Database
from tests.factories.large import FORM, MEGABYTE, a_form, a_large_package
from tests.factories.organizations import Caller
from tests.factories.registry import (
    LINUX,
    MODULES,
    PROVIDERS,
    Form,
    Release,
    a_module,
    a_provider,
    add_key,
    claim_namespace,
    publish,
)
from tests.fixtures.archives import a_provider_zip, a_tar_gz, a_zip, package_name
from tests.fixtures.https import HOSTNAME
from tests.fixtures.platform import Installation
from tests.fixtures.processes import ApiProcess, running
from tests.fixtures.s3 import S3Server
from tests.fixtures.signing import Signer
from tests.fixtures.stored import stored

pytestmark = [pytest.mark.servers, pytest.mark.timeout(120)]

LARGEST = 499  # megabytes; with what is around them it stays below the limit of 500
SIGNER = Signer()
STREAMING = [
    route
    for router in ROUTERS
    for route in router.routes
    if isinstance(route, APIRoute) and facts_of(route).streams_body
]
OF_ROUTES = {
    "publish_module": {"name": "network", "system": "aws", "version": "0.1.0", "description": "of the query"},
    "publish_provider": {"type": "time", "version": "0.1.0"},
}
"""What each of them is told beside a namespace; a new one has to say it here."""


@dataclass(frozen=True, slots=True)
class Publisher:
    """Somebody with a namespace, who sends to one of two processes, and sees what is stored."""

    apis: tuple[ApiProcess, ApiProcess]
    client: httpx2.AsyncClient
    caller: Caller
    namespace: str
    database: Database
    blobs: LocalBlobStore

    @property
    def spooled(self) -> list[Path]:
        """What waits to be known to be good."""
        return list((self.blobs._kept.parent / "incoming").iterdir())

    async def stored(self) -> dict[str, int]:
        return await stored(self.database, self.caller, self.blobs)

    async def publish(self, path: str, form: Form) -> httpx2.Response:
        return await publish(self.client, self.caller, path, form)


@pytest.fixture(scope="module")
async def own_blobs(tmp_path_factory: pytest.TempPathFactory) -> LocalBlobStore:
    return LocalBlobStore(tmp_path_factory.mktemp("blobs"))


@pytest.fixture(scope="module")
async def apis(
    make_installation: Callable[[], Installation], own_blobs: LocalBlobStore
) -> AsyncIterator[tuple[ApiProcess, ApiProcess]]:
    """Run two processes over the same database and bytes."""
    where = {"blobs": {"path": str(own_blobs._kept.parent)}}
    first, second = ApiProcess(make_installation(), where), ApiProcess(make_installation(), where)
    async with running(first, second):
        yield first, second


@pytest.fixture
async def publisher(
    apis: tuple[ApiProcess, ApiProcess], caller: Caller, database: Database, own_blobs: LocalBlobStore
) -> AsyncIterator[Publisher]:
    async with apis[0].client() as client:
        namespace = await claim_namespace(client, caller)
        await add_key(client, caller, namespace, SIGNER)
        yield Publisher(apis, client, caller, namespace, database, own_blobs)


def send(
    api: ApiProcess, path: str, headers: Mapping[str, str], body: Iterable[bytes], length: int
) -> tuple[int, dict[str, object]]:
    """Send a body that nobody has in one piece; give status and answer. It waits in the thread that asks."""
    connection = http.client.HTTPSConnection("127.0.0.1", api.port, context=api.trust, timeout=60)
    try:
        connection.request("POST", path, body, {**headers, "Content-Length": str(length)})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def a_large_release(namespace: str, megabytes: int) -> tuple[str, list[bytes], int]:
    """Give the path, the body and the length of a release whose only package has so many megabytes."""
    package, digest = a_large_package(megabytes), hashlib.sha256()
    for piece in package:
        digest.update(piece)
    release = Release(SIGNER, packages={})
    name = package_name(release.type, release.version, LINUX)
    sums = release.checksums + f"{digest.hexdigest()}  {name}\n".encode()
    small = [(name, [content]) for name, content in release.files(checksums=sums)]
    body = list(a_form([*small, (name, package)]))
    query = urlencode({"namespace": namespace, "type": release.type, "version": release.version})
    return f"{PROVIDERS}?{query}", body, sum(map(len, body))


class TestMemory:
    @pytest.fixture
    async def over_s3(
        self, make_installation: Callable[[], Installation], s3: S3Server, tmp_path: Path
    ) -> AsyncIterator[ApiProcess]:
        bucket = await s3.make_bucket()
        values = {
            "path": str(tmp_path),
            "s3.endpoint": bucket.endpoint,
            "s3.bucket": bucket.name,
            "s3.access_key": bucket.access_key,
            "s3.secret_key": bucket.secret_key,
        }
        api = ApiProcess(make_installation(), {"blobs": values})
        async with running(api):
            yield api

    async def grows(self, api: ApiProcess, caller: Caller, namespace: str, megabytes: int) -> float:
        """Publish a provider whose package has so many megabytes; tell by how many the process grew meanwhile."""
        path, body, length = a_large_release(namespace, megabytes)
        before = api.forget_peak()
        status, answer = await asyncio.to_thread(send, api, path, {**caller.headers, **FORM}, body, length)
        assert status == 201, answer
        return (api.peak - before) / MEGABYTE

    async def test_grows_by_less_than_64_megabytes_while_the_largest_provider_is_published(
        self, publisher: Publisher
    ) -> None:
        assert await self.grows(publisher.apis[0], publisher.caller, publisher.namespace, LARGEST) < 64

    async def test_grows_by_no_more_where_it_goes_on_to_a_bucket(
        self, over_s3: ApiProcess, publisher: Publisher
    ) -> None:
        assert await self.grows(over_s3, publisher.caller, publisher.namespace, 200) < 64


class TestBodiesThatNobodySent:
    """Whoever may not publish is answered as soon as the headers are there."""

    async def ask(self, api: ApiProcess, path: str, headers: Mapping[str, str]) -> int:
        """Send the headers of a large body; give the status of the first answer, be it 100 Continue."""
        reader, writer = await asyncio.open_connection("127.0.0.1", api.port, ssl=api.trust)
        try:
            lines = [
                f"{name}: {value}" for name, value in {"Content-Length": "1000000", **FORM, **headers}.items()
            ]
            writer.write("\r\n".join([f"POST {path} HTTP/1.1", f"Host: {HOSTNAME}", *lines, "", ""]).encode())
            return int((await reader.readline()).split()[1])
        finally:
            writer.transport.abort()

    @pytest.mark.parametrize("expecting", [{}, {"Expect": "100-continue"}])
    @pytest.mark.parametrize("route", STREAMING, ids=lambda route: route.operation_id)
    async def test_get_an_answer_all_the_same(
        self, publisher: Publisher, route: APIRoute, expecting: dict[str, str]
    ) -> None:
        body = {"name": "reader", "scopes": ["registry:read"]}
        made = await publisher.client.post("/api/v1/api-keys", json=body, headers=publisher.caller.headers)
        known = OF_ROUTES[str(route.operation_id)]
        elsewhere = f"{route.path}?{urlencode(known | {'namespace': 'nobody-has-claimed-this'})}"
        asked = [
            (route.path, {}, 401),
            (route.path, {"Authorization": "Bearer gwk_x"}, 401),
            (route.path, {"Authorization": f"Bearer {made.json()['key']}"}, 403),
            (elsewhere, publisher.caller.headers, 404),
        ]
        for path, headers, status in asked:
            assert await self.ask(publisher.apis[0], path, {**expecting, **headers}) == status

    @pytest.mark.parametrize("route", STREAMING, ids=lambda route: route.operation_id)
    async def test_are_asked_for_where_all_before_them_is_good(
        self, publisher: Publisher, route: APIRoute
    ) -> None:
        fields = OF_ROUTES[str(route.operation_id)] | {"namespace": publisher.namespace}
        headers = {"Expect": "100-continue", **publisher.caller.headers}
        assert await self.ask(publisher.apis[0], f"{route.path}?{urlencode(fields)}", headers) == 100


class TestCutOff:
    """Half of an upload arrives, and no more."""

    def form(self, kind: str, namespace: str) -> tuple[str, Form]:
        noise = b"".join(hashlib.sha256(number.to_bytes(4)).digest() for number in range(10_000))
        if kind == "module":
            return MODULES, a_module(namespace, archive=a_zip({"main.tf": "", "noise": noise}))
        return PROVIDERS, a_provider(namespace, Release(SIGNER, packages={LINUX: a_provider_zip(content=noise)}))

    async def half(self, publisher: Publisher, api: ApiProcess, path: str, form: Form) -> asyncio.StreamWriter:
        """Send half of an upload; return when it waits on the disk."""
        request = publisher.client.build_request("POST", path, headers=publisher.caller.headers, **form.request)  # type: ignore[arg-type]
        content = await request.aread()
        _, writer = await asyncio.open_connection("127.0.0.1", api.port, ssl=api.trust)
        lines = [f"{name}: {value}" for name, value in request.headers.items()]
        writer.write("\r\n".join([f"POST {path} HTTP/1.1", *lines, "", ""]).encode())
        writer.write(content[: len(content) // 2])
        await writer.drain()
        async with asyncio.timeout(20):
            while not any(file.stat().st_size > 50_000 for file in publisher.spooled):  # noqa: ASYNC110  another process's
                await asyncio.sleep(0.02)
        return writer

    @pytest.mark.parametrize("kind", ["module", "provider"])
    @pytest.mark.parametrize("cut", ["closed", "reset"])
    async def test_by_its_client_leaves_nothing(self, publisher: Publisher, kind: str, cut: str) -> None:
        path, form = self.form(kind, publisher.namespace)
        before = await publisher.stored()
        writer = await self.half(publisher, publisher.apis[0], path, form)
        if cut == "reset":
            writer.transport.abort()
        else:
            writer.close()
        async with asyncio.timeout(20):
            while publisher.spooled:  # noqa: ASYNC110  another process's
                await asyncio.sleep(0.02)
        assert await publisher.stored() == before
        assert (await publisher.publish(path, form)).status_code == 201

    async def test_by_the_death_of_its_server_leaves_nothing_once_that_is_back(self, publisher: Publisher) -> None:
        path, form = self.form("provider", publisher.namespace)
        before, api = await publisher.stored(), publisher.apis[1]
        writer = await self.half(publisher, api, path, form)
        assert await api.end(SIGKILL) == -SIGKILL
        writer.transport.abort()
        assert publisher.spooled
        await api.start()
        assert await publisher.stored() == before
        assert (await publisher.publish(path, form)).status_code == 201


class TestKilledBetweenBytesAndRows:
    async def test_leaves_a_file_that_is_nobodys_and_no_row(
        self, publisher: Publisher, owner: AsyncEngine
    ) -> None:
        assert (await publisher.publish(MODULES, a_module(publisher.namespace))).status_code == 201
        form = a_module(publisher.namespace, version="0.2.0", archive=a_tar_gz({"main.tf": publisher.namespace}))
        before, api = await publisher.stored(), publisher.apis[1]
        async with owner.connect() as connection, api.client() as elsewhere:
            # Whoever publishes waits for the module's row, with the bytes in the store already.
            held = await connection.execute(text("SELECT id FROM module FOR UPDATE"))
            assert held.rowcount >= 1
            publishing = asyncio.create_task(publish(elsewhere, publisher.caller, MODULES, form))
            waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
            async with asyncio.timeout(20):
                while not await connection.scalar(text(waiting)):  # noqa: ASYNC110  another process's
                    await asyncio.sleep(0.02)
            await api.end(SIGKILL)
            await asyncio.gather(publishing, return_exceptions=True)
        await api.start()
        assert await publisher.stored() == before | {"files": before["files"] + 1}
        async with api.client() as elsewhere:
            assert (await publish(elsewhere, publisher.caller, MODULES, form)).status_code == 201
        after = await publisher.stored()
        assert {table: after[table] - before[table] for table in ("module_version", "blob", "files")} == {
            "module_version": 1,
            "blob": 1,
            "files": 1,
        }


class TestTwentyAtOnce:
    """In two processes, with one version: ten who differ, and each of them once more."""

    async def publish(self, publisher: Publisher, path: str, forms: list[Form]) -> tuple[Form, dict[str, object]]:
        """Let all publish; give who won, and what was answered."""
        async with publisher.apis[1].client() as elsewhere:
            sent = [(client, form) for form in forms for client in (publisher.client, elsewhere)]
            answers = await asyncio.gather(
                *(publish(client, publisher.caller, path, form) for client, form in sent)
            )
        statuses = [answer.status_code for answer in answers]
        assert sorted(statuses) == [200, 201] + [409] * 18, [answer.text for answer in answers]
        assert {answer.json()["code"] for answer in answers if answer.status_code == 409} == {
            "registry.version_exists"
        }
        won = statuses.index(201)
        assert sent[statuses.index(200)][1] is sent[won][1]
        return sent[won][1], answers[won].json()

    async def new_rows(self, publisher: Publisher, before: dict[str, int]) -> dict[str, int]:
        after = await publisher.stored()
        return {table: after[table] - before[table] for table in after if table != "files" and after[table]}

    async def test_of_a_module_have_one_winner(self, publisher: Publisher) -> None:
        before = await publisher.stored()
        forms = [
            a_module(publisher.namespace, archive=a_tar_gz({"main.tf": f"# {publisher.namespace} {number}"}))
            for number in range(10)
        ]
        won, answer = await self.publish(publisher, MODULES, forms)
        [(_, archive)] = won.files
        assert answer["sha256"] == hashlib.sha256(archive).hexdigest()
        assert await self.new_rows(publisher, before) == {"module": 1, "module_version": 1, "blob": 1}
        headers = publisher.caller.headers
        path = f"/v1/modules/{publisher.namespace}/network/aws/0.1.0/download"
        async with publisher.apis[1].client() as elsewhere:
            location = (await elsewhere.get(path, headers=headers)).headers["x-terraform-get"]
            assert (await elsewhere.get(urlsplit(location).path)).content == archive

    async def test_of_a_provider_have_one_winner(self, publisher: Publisher) -> None:
        before = await publisher.stored()
        forms = [
            a_provider(
                publisher.namespace,
                # Of these protocols no other test has a manifest.
                Release(SIGNER, packages={LINUX: a_provider_zip(content=content)}, protocols=("5.9", "6.9")),
            )
            for content in (f"{publisher.namespace} {number}".encode() for number in range(10))
        ]
        won, answer = await self.publish(publisher, PROVIDERS, forms)
        assert answer["checksums_sha256"] == hashlib.sha256(won.files[0][1]).hexdigest()
        assert await self.new_rows(publisher, before) == {
            "provider": 1,
            "provider_version": 1,
            "provider_platform": 1,
            "verification": 1,
            "blob": 4,  # SHA256SUMS, its signature, the manifest, the package
        }
        headers = publisher.caller.headers
        path = f"/v1/providers/{publisher.namespace}/time/0.1.0/download/linux/amd64"
        async with publisher.apis[1].client() as elsewhere:
            found = (await elsewhere.get(path, headers=headers)).json()
            assert (await elsewhere.get(urlsplit(found["download_url"]).path)).content == won.files[-1][1]
