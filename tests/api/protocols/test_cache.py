"""Kept answers: fast, never another organization's, never older than what the asker wrote."""

import asyncio
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pytest
from asgi_lifespan import LifespanManager
from starlette.types import ASGIApp, Message, Receive, Scope, Send

import api.protocols.cache
from api.app import create_app
from api.protocols.cache import (
    LARGEST_ANSWER,
    ByteCache,
    KeepingLayer,
)
from api.routing import IN_STATE, RouteFacts
from config.secrets import Secrets
from integrations.embedded.postgresql import PostgreSQL
from services.all import Services
from services.changes import Changes
from services.registry.counter import DownloadCounter
from storage.blobs.local import LocalBlobStore
from storage.database import Database
from storage.listening import Listener, Subscription
from storage.registry.changes import CHANNEL
from tests.factories.organizations import Caller
from tests.factories.registry import (
    MODULES,
    NAMESPACES,
    PROVIDERS,
    Release,
    a_module,
    a_provider,
    add_key,
    claim_namespace,
    publish,
)
from tests.factories.services import make_services
from tests.fixtures.https import app_at, serve
from tests.fixtures.queries import counted_queries
from tests.fixtures.signing import Signer

NOBODY_COUNTS = DownloadCounter(
    Database("postgresql+psycopg://nobody@nowhere/none", "postgresql+psycopg://nobody@nowhere/none")
)


@pytest.mark.servers
class TestKeptAnswers:
    @pytest.fixture
    async def path(self, client: httpx2.AsyncClient, caller: Caller) -> str:
        """Publish a module; give the path of its versions, which somebody has asked for."""
        namespace = await claim_namespace(client, caller)
        await publish(client, caller, MODULES, a_module(namespace))
        path = f"/v1/modules/{namespace}/network/aws/versions"
        await client.get(path, headers=caller.headers)
        return path

    async def test_asks_the_database_nothing_the_second_time(
        self, client: httpx2.AsyncClient, caller: Caller, path: str, database: Database
    ) -> None:
        download = path.replace("versions", "0.1.0/download")
        first = await client.get(download, headers=caller.headers)
        whole = await client.get(first.json()["location"])
        for _ in range(2):
            head = await client.head(first.json()["location"])
            assert (head.status_code, head.content) == (200, b"")
            assert head.headers["content-length"] == str(len(whole.content))
        with counted_queries(database) as statements:
            for where in (path, download, first.json()["location"]):
                answer = await client.get(where, headers=caller.headers)
                assert answer.status_code == 200
        assert statements == []
        assert (await client.get(download, headers=caller.headers)).headers["x-terraform-get"]

    async def test_keeps_a_file_once_whatever_it_is_called(
        self,
        client: httpx2.AsyncClient,
        caller: Caller,
        path: str,
        blobs: LocalBlobStore,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        answer = await client.get(path.replace("versions", "0.1.0/download"), headers=caller.headers)
        place = answer.json()["location"].rpartition("/")[0]
        kinds = {"x.tar.gz": "application/gzip", "x.zip": "application/zip", "x": "application/octet-stream"}
        for name in kinds:
            await client.get(f"{place}/{name}")
        monkeypatch.setattr(blobs, "size", lambda _: pytest.fail("the store was asked again"))
        for name, kind in kinds.items():
            again = await client.get(f"{place}/another-{name}")
            assert (again.status_code, again.headers["content-type"]) == (200, kind)
        assert (await client.get(f"{place}/")).status_code == 404

    async def test_says_nothing_of_the_requests_before(
        self, client: httpx2.AsyncClient, caller: Caller, path: str
    ) -> None:
        answers = [
            await client.get(path, headers=caller.headers | {"X-Request-ID": f"request-{number}"})
            for number in range(4)
        ]
        assert [answer.headers.get_list("x-request-id") for answer in answers] == [
            [f"request-{number}"] for number in range(4)
        ]

    async def test_gives_a_writer_what_it_wrote(
        self, client: httpx2.AsyncClient, caller: Caller, path: str
    ) -> None:
        namespace = path.split("/")[3]
        for version in ("0.2.0", "0.3.0"):
            await publish(client, caller, MODULES, a_module(namespace, version=version))
            found = (await client.get(path, headers=caller.headers)).json()
            assert found["modules"][0]["versions"][0] == {"version": version}

    async def test_gives_nobody_what_a_revoked_key_signed(
        self, client: httpx2.AsyncClient, caller: Caller
    ) -> None:
        namespace, signer = await claim_namespace(client, caller), Signer()
        key = await add_key(client, caller, namespace, signer)
        await publish(client, caller, PROVIDERS, a_provider(namespace, Release(signer)))
        path = f"/v1/providers/{namespace}/time/0.1.0/download/linux/amd64"
        assert (await client.get(path, headers=caller.headers)).status_code == 200
        await client.delete(f"{NAMESPACES}/{namespace}/gpg-keys/{key['id']}", headers=caller.headers)
        assert (await client.get(path, headers=caller.headers)).status_code == 404

    async def test_gives_another_organization_nothing_of_it(
        self, client: httpx2.AsyncClient, caller: Caller, stranger: Caller, path: str
    ) -> None:
        assert (await client.get(path, headers=stranger.headers)).status_code == 404
        assert (await client.get(path)).status_code == 401
        assert (await client.get(path, headers={"Authorization": "Bearer gwk_x"})).status_code == 401
        assert (await client.get(path, headers=caller.headers)).status_code == 200

    async def test_gives_nothing_to_a_key_that_may_not_read(
        self, client: httpx2.AsyncClient, caller: Caller, path: str
    ) -> None:
        body = {"name": "no reader", "scopes": ["run:read"]}
        key = (await client.post("/api/v1/api-keys", json=body, headers=caller.headers)).json()
        headers = {"Authorization": f"Bearer {key['key']}"}
        assert (await client.get(path, headers=headers)).status_code == 403

    async def test_gives_nothing_to_a_key_that_was_revoked(
        self, client: httpx2.AsyncClient, caller: Caller, path: str, services: Services
    ) -> None:
        key = (await client.post("/api/v1/api-keys", json={"name": "x"}, headers=caller.headers)).json()
        headers = {"Authorization": f"Bearer {key['key']}"}
        assert (await client.get(path, headers=headers)).status_code == 200
        await client.delete(f"/api/v1/api-keys/{key['id']}", headers=caller.headers)
        services.identity.changes.hear(str(caller.organization.id))  # as NOTIFY tells every process
        assert (await client.get(path, headers=headers)).status_code == 401

    async def test_says_when_nothing_has_changed(
        self, client: httpx2.AsyncClient, caller: Caller, path: str
    ) -> None:
        etag = (await client.get(path, headers=caller.headers)).headers["etag"]
        for known in ([etag], [f'"other", W/{etag}'], ['"other"', etag], ["*"]):
            lines = [("If-None-Match", each) for each in known]
            answer = await client.get(path, headers=httpx2.Headers([*caller.headers.items(), *lines]))
            assert (answer.status_code, answer.content) == (304, b"")
        answer = await client.get(path, headers=caller.headers | {"If-None-Match": '"other"'})
        assert answer.status_code == 200

    async def test_says_that_nothing_has_changed_of_what_was_built_anew(
        self, client: httpx2.AsyncClient, caller: Caller, path: str, services: Services
    ) -> None:
        etag = (await client.get(path, headers=caller.headers)).headers["etag"]
        services.registry.changes.tell(caller.organization.id)
        answer = await client.get(path, headers=caller.headers | {"If-None-Match": etag})
        assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", etag)
        assert (await client.get(path, headers=caller.headers)).json()["modules"]

    async def test_hears_what_other_processes_commit(
        self,
        client: httpx2.AsyncClient,
        caller: Caller,
        path: str,
        database: Database,
        secrets: Secrets,
        blobs: LocalBlobStore,
        postgresql: PostgreSQL,
    ) -> None:
        other = make_services(database, secrets, blobs)
        heard, connected = asyncio.Event(), asyncio.Event()
        changes = other.registry.changes

        def hear(payload: str) -> None:
            changes.hear(payload)
            if payload == str(caller.organization.id):
                heard.set()

        def hears(yes: bool) -> None:
            changes.hears(yes)
            if yes:
                connected.set()

        listening = asyncio.ensure_future(
            Listener(postgresql.platform_url, (Subscription(CHANNEL, hear, hears),)).run()
        )
        try:
            async with another_process(create_app(other)) as second:
                await connected.wait()
                for _ in range(2):
                    found = (await second.get(path, headers=caller.headers)).json()
                    assert found["modules"][0]["versions"] == [{"version": "0.1.0"}]
                await publish(client, caller, MODULES, a_module(path.split("/")[3], version="0.2.0"))
                await heard.wait()
                found = (await second.get(path, headers=caller.headers)).json()
                assert found["modules"][0]["versions"][0] == {"version": "0.2.0"}
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)

    async def test_keeps_nothing_of_what_a_client_left_in_the_middle(
        self,
        client: httpx2.AsyncClient,
        caller: Caller,
        path: str,
        database: Database,
        secrets: Secrets,
        blobs: LocalBlobStore,
        tmp_path: Path,
    ) -> None:
        download = await client.get(path.replace("versions", "0.1.0/download"), headers=caller.headers)
        location = download.json()["location"]
        whole = (await client.get(location)).content
        slow = SlowBlobStore(blobs._kept.parent)
        async with serve(app_at(make_services(database, secrets, slow)), tmp_path) as server:
            _, connection = await asyncio.open_connection("127.0.0.1", server.port, ssl=server.trust)
            connection.write(f"GET {location} HTTP/1.1\r\nHost: registry\r\n\r\n".encode())
            await slow.asked.wait()
            connection.transport.abort()
            await slow.left.wait()
            slow.may_read.set()
            async with httpx2.AsyncClient(base_url=server.url, verify=server.trust) as second:
                assert (await second.get(location)).content == whole

    @pytest.mark.parametrize(
        ("length", "messages", "kept"),
        [
            (4, [(b"file", False)], True),
            (4, [(b"fi", True), (b"le", False)], True),
            (None, [(b"fi", True), (b"le", False)], False),
            (4, [(b"fi", True)], False),
            (None, [(b"fi", True)], False),
            (4, [(b"fi", False)], False),
            (4, [], False),
        ],
    )
    async def test_keeps_whole_answers_only(
        self, length: int | None, messages: list[tuple[bytes, bool]], kept: bool
    ) -> None:
        built = 0

        async def application(_scope: Scope, _receive: Receive, send: Send) -> None:
            nonlocal built
            built += 1
            headers = [] if length is None else [(b"content-length", str(length).encode())]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            for body, more in messages:
                await send({"type": "http.response.body", "body": body, "more_body": more})

        layer = KeepingLayer(application, ByteCache(Changes()), NOBODY_COUNTS)
        for _ in range(2):
            await layer(a_request_for_a_file(), never, ignore)
        assert (built == 1) == kept

    async def test_collects_nothing_of_what_is_too_large_to_keep(self) -> None:
        size, pieces = 8 * LARGEST_ANSWER, 64
        held = 0

        async def application(_scope: Scope, _receive: Receive, send: Send) -> None:
            headers = [(b"content-length", str(size).encode())]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            for number in range(pieces):
                body, more = bytes(size // pieces), number < pieces - 1
                await send({"type": "http.response.body", "body": body, "more_body": more})

        async def measure(_: object) -> None:
            nonlocal held
            held = max(held, tracemalloc.get_traced_memory()[0])

        layer = KeepingLayer(application, ByteCache(Changes()), NOBODY_COUNTS)
        tracemalloc.start()
        try:
            await layer(a_request_for_a_file(), never, measure)
        finally:
            tracemalloc.stop()
        assert held < LARGEST_ANSWER

    @pytest.mark.parametrize("status", [200, 404])
    async def test_builds_once_for_all_who_ask_meanwhile(self, status: int) -> None:
        built, may_answer = 0, asyncio.Event()

        async def application(_scope: Scope, _receive: Receive, send: Send) -> None:
            nonlocal built
            built += 1
            await may_answer.wait()
            await send({"type": "http.response.start", "status": status, "headers": [(b"content-length", b"6")]})
            await send({"type": "http.response.body", "body": b"answer"})

        given = 0

        async def note(message: Message) -> None:
            nonlocal given
            given += message["type"] == "http.response.body"

        layer = KeepingLayer(application, ByteCache(Changes()), NOBODY_COUNTS)
        async with asyncio.TaskGroup() as asking:
            for _ in range(5):
                asking.create_task(layer(a_request_for_a_file(), never, note))
            await asyncio.sleep(0)
            may_answer.set()
        assert given == 5
        assert built == (1 if status == 200 else 5)

    async def test_lets_nobody_wait_for_a_client_that_reads_slowly(self) -> None:
        async def application(_scope: Scope, _receive: Receive, send: Send) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"6")]})
            await send({"type": "http.response.body", "body": b"answer"})

        reads = asyncio.Event()

        async def slow(message: Message) -> None:
            if message["type"] == "http.response.body":
                await reads.wait()

        layer = KeepingLayer(application, ByteCache(Changes()), NOBODY_COUNTS)
        async with asyncio.TaskGroup() as asking:
            asking.create_task(layer(a_request_for_a_file(), never, slow))
            await asyncio.sleep(0)
            async with asyncio.timeout(10):
                await layer(a_request_for_a_file(), never, ignore)
            reads.set()

    async def test_builds_anew_in_each_window(self, monkeypatch: pytest.MonkeyPatch) -> None:
        built: list[str] = []

        async def application(scope: Scope, _receive: Receive, send: Send) -> None:
            built.append(scope["path"])
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"4")]})
            await send({"type": "http.response.body", "body": b"file"})

        now = 0.0
        monkeypatch.setattr(api.protocols.cache, "seconds_left", lambda _: 5.0)
        layer = KeepingLayer(application, ByteCache(Changes(), clock=lambda: now), NOBODY_COUNTS)
        for moment in (0.0, 4.9, 5.0, 9.9):
            now = moment
            await layer(a_request_for_a_file(), never, ignore)
        assert len(built) == 2


class SlowBlobStore(LocalBlobStore):
    """A store that gives one byte until it may give more, and says when a reader waits for them and has left."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.asked, self.left, self.may_read = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def open(self, sha256: str, *, start: int = 0, stop: int | None = None) -> AsyncIterator[bytes]:
        try:
            async for piece in super().open(sha256, start=start, stop=stop):
                yield piece[:1]
                self.asked.set()
                await self.may_read.wait()
                yield piece[1:]
        finally:
            self.left.set()


def a_request_for_a_file() -> dict[str, object]:
    """Make what the layers before this one hand on."""
    state = {IN_STATE: RouteFacts(public="for the test", kept=True)}
    return {
        "type": "http",
        "method": "GET",
        "path": "/v1/files/x",
        "query_string": b"",
        "headers": [],
        "state": state,
    }


async def never() -> dict[str, object]:
    pytest.fail("the body was asked for")


async def ignore(_: object) -> None:
    return


@asynccontextmanager
async def another_process(app: ASGIApp) -> AsyncIterator[httpx2.AsyncClient]:
    """Run an application of its own, as a second process would."""
    async with (
        LifespanManager(app) as running,
        httpx2.AsyncClient(transport=httpx2.ASGITransport(app=running.app), base_url="http://test") as client,
    ):
        yield client
