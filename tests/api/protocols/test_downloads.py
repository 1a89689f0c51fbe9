"""Files at addresses that carry their own permission."""

import asyncio
import hashlib
import io
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import httpx2
import pytest
import structlog
from asgi_lifespan import LifespanManager
from starlette.types import ASGIApp

from api.app import create_app
from config.secrets import Secrets
from domain.registry.capability import WINDOW, Capabilities, window_of
from storage.blobs.local import LocalBlobStore
from storage.blobs.s3 import S3BlobStore
from storage.blobs.store import BlobStore, key_of
from storage.database import Database
from tests.factories.organizations import Caller
from tests.factories.registry import (
    MODULES,
    PROVIDERS,
    Release,
    a_module,
    a_provider,
    add_key,
    claim_namespace,
    publish,
)
from tests.factories.services import make_services
from tests.fixtures.archives import a_zip
from tests.fixtures.s3 import S3Server
from tests.fixtures.signing import Signer

pytestmark = pytest.mark.servers

ARCHIVE = a_zip({"main.tf": "x" * 300})
SHA256 = hashlib.sha256(ARCHIVE).hexdigest()


@pytest.fixture
async def location(client: httpx2.AsyncClient, caller: Caller) -> str:
    namespace = await claim_namespace(client, caller)
    await publish(client, caller, MODULES, a_module(namespace, archive=ARCHIVE))
    path = f"/v1/modules/{namespace}/network/aws/0.1.0/download"
    found: str = (await client.get(path, headers=caller.headers)).json()["location"]
    return found


@dataclass(frozen=True, slots=True)
class StoreWithSwitch:
    """A store, and how it goes and comes back with all it held."""

    store: BlobStore
    away: Callable[[], Awaitable[object]]
    back: Callable[[], Awaitable[object]]


@asynccontextmanager
async def a_client_of(app: ASGIApp) -> AsyncIterator[httpx2.AsyncClient]:
    async with LifespanManager(app) as running:
        transport = httpx2.ASGITransport(app=running.app, raise_app_exceptions=False)
        async with httpx2.AsyncClient(transport=transport, base_url="http://test") as made:
            yield made


class TestDownloadFile:
    async def test_head_tells_what_get_sends(self, client: httpx2.AsyncClient, location: str) -> None:
        head, whole = await client.head(location), await client.get(location)
        assert (head.status_code, head.content, whole.content) == (200, b"", ARCHIVE)
        for name in ("content-length", "content-type", "etag", "cache-control", "accept-ranges"):
            assert head.headers[name] == whole.headers[name]
        assert whole.headers["content-type"] == "application/zip"
        assert "immutable" in whole.headers["cache-control"]
        assert whole.headers["x-content-type-options"] == "nosniff"

    async def test_what_is_known_is_not_sent_again(self, client: httpx2.AsyncClient, location: str) -> None:
        etag = (await client.head(location)).headers["etag"]
        answer = await client.get(location, headers={"If-None-Match": etag})
        assert (answer.status_code, answer.content) == (304, b"")
        # Under another name nobody has it yet, so that the route answers and no layer before it.
        location = location.replace("network-", "other-")
        several = httpx2.Headers([("If-None-Match", '"another"'), ("If-None-Match", f"W/{etag}")])
        assert (await client.get(location, headers=several)).status_code == 304

    @pytest.mark.parametrize(
        ("asked", "part"),
        [
            ("bytes=0-0", slice(0, 1)),
            ("bytes=10-19", slice(10, 20)),
            ("bytes=10-", slice(10, None)),
            ("bytes=-7", slice(-7, None)),
            (f"bytes=5-{10**17}", slice(5, None)),
            (f"bytes=-{10**17}", slice(0, None)),
        ],
    )
    async def test_sends_parts(self, client: httpx2.AsyncClient, location: str, asked: str, part: slice) -> None:
        answer = await client.get(location, headers={"Range": asked})
        assert (answer.status_code, answer.content) == (206, ARCHIVE[part])
        start, stop, _ = part.indices(len(ARCHIVE))
        assert answer.headers["content-range"] == f"bytes {start}-{stop - 1}/{len(ARCHIVE)}"
        assert answer.headers["content-length"] == str(stop - start)

    @pytest.mark.parametrize("asked", [f"bytes={len(ARCHIVE)}-", "bytes=9-8", "bytes=-0"])
    async def test_a_part_that_is_not_there_cannot_be_sent(
        self, client: httpx2.AsyncClient, location: str, asked: str
    ) -> None:
        answer = await client.get(location, headers={"Range": asked})
        assert (answer.status_code, answer.headers["content-range"]) == (416, f"bytes */{len(ARCHIVE)}")

    @pytest.mark.parametrize(
        "asked", ["", "bytes=", "bytes=-", "lines=1-2", "bytes=a-b", "bytes=0-1,3-4", "x" * 999]
    )
    async def test_what_is_no_part_gets_the_whole(
        self, client: httpx2.AsyncClient, location: str, asked: str
    ) -> None:
        answer = await client.get(location, headers={"Range": asked})
        assert (answer.status_code, answer.content) == (200, ARCHIVE)

    async def test_attack_06_a_hundred_thousand_parts_take_no_time(
        self, client: httpx2.AsyncClient, location: str
    ) -> None:
        started = time.process_time()
        answer = await client.get(location, headers={"Range": "bytes=" + "0-0," * 100_000})
        assert answer.status_code == 200
        assert time.process_time() - started < 0.2

    async def test_a_changed_file_is_sent_whole(self, client: httpx2.AsyncClient, location: str) -> None:
        answer = await client.get(location, headers={"Range": "bytes=0-0", "If-Range": '"another"'})
        assert (answer.status_code, answer.content) == (200, ARCHIVE)


class TestDownloadFileFromTheBucket:
    @pytest.fixture
    async def client(
        self, database: Database, secrets: Secrets, s3: S3Server, tmp_path: Path
    ) -> AsyncIterator[httpx2.AsyncClient]:
        """Let clients fetch files from the bucket themselves."""
        store = S3BlobStore(tmp_path, await s3.make_bucket(), gives_addresses=True)
        async with a_client_of(create_app(make_services(database, secrets, store))) as made:
            yield made

    async def test_is_the_way_to_an_address_that_needs_no_key_and_is_kept_by_nobody(
        self, client: httpx2.AsyncClient, location: str
    ) -> None:
        answers = [await client.get(location) for _ in range(2)]
        async with httpx2.AsyncClient() as anybody:
            for answer in answers:
                assert (answer.status_code, answer.headers["cache-control"]) == (307, "no-store")
                assert (await anybody.get(answer.headers["location"])).content == ARCHIVE

    async def test_head_is_answered_here(self, client: httpx2.AsyncClient, location: str) -> None:
        head = await client.head(location)
        assert (head.status_code, head.headers["content-length"]) == (200, str(len(ARCHIVE)))

    async def test_there_is_none_without_a_capability(self, client: httpx2.AsyncClient, location: str) -> None:
        answer = await client.get(location.replace(SHA256, "0" * 64))
        assert (answer.status_code, "location" in answer.headers) == (404, False)


class TestBlobStoreThatIsAway:
    @pytest.fixture(params=["local", "s3"])
    async def store(self, request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[StoreWithSwitch]:
        """Give a store of each kind, and what takes it away and brings it back."""
        folder, elsewhere = tmp_path / "blobs", tmp_path / "elsewhere"
        if request.param == "local":
            yield StoreWithSwitch(
                LocalBlobStore(folder),
                partial(asyncio.to_thread, folder.rename, elsewhere),
                partial(asyncio.to_thread, elsewhere.rename, folder),
            )
            return
        async with S3Server(tmp_path) as server:
            store = S3BlobStore(folder, await server.make_bucket(), gives_addresses=False)
            yield StoreWithSwitch(store, server.stop, server.start)

    @pytest.fixture
    async def client(
        self, database: Database, secrets: Secrets, store: StoreWithSwitch
    ) -> AsyncIterator[httpx2.AsyncClient]:
        """Serve with that store."""
        async with a_client_of(create_app(make_services(database, secrets, store.store))) as made:
            yield made

    async def test_stops_files_and_publishing_but_no_answer_about_them_and_loses_nothing(
        self, client: httpx2.AsyncClient, caller: Caller, store: StoreWithSwitch
    ) -> None:
        namespace, signer = await claim_namespace(client, caller), Signer()
        await add_key(client, caller, namespace, signer)
        provider = a_provider(namespace, Release(signer))
        first, second = (a_module(namespace, version=version, archive=ARCHIVE) for version in ("0.1.0", "0.2.0"))
        assert (await publish(client, caller, MODULES, first)).status_code == 201
        versions = f"/v1/modules/{namespace}/network/aws/versions"
        await store.away()

        for refused in (
            await publish(client, caller, MODULES, second),
            await publish(client, caller, PROVIDERS, provider),
        ):
            assert (refused.status_code, refused.json()["code"]) == (503, "platform.unavailable")
            assert refused.headers["retry-after"] == "1"
        listed = await client.get(versions, headers=caller.headers)
        assert listed.json()["modules"][0]["versions"] == [{"version": "0.1.0"}]
        about = await client.get(versions.replace("versions", "0.1.0/download"), headers=caller.headers)
        location = about.json()["location"]
        for answer in (await client.get(location), await client.head(location)):
            assert answer.status_code == 503

        await store.back()
        assert (await publish(client, caller, MODULES, second)).status_code == 201
        assert (await publish(client, caller, PROVIDERS, provider)).status_code == 201
        assert (await client.get(location)).content == ARCHIVE


class TestBlobThatIsNotWhatItWas:
    async def test_is_told_apart_from_an_old_address(
        self, client: httpx2.AsyncClient, caller: Caller, blobs: LocalBlobStore
    ) -> None:
        namespace = await claim_namespace(client, caller)
        archive = a_zip({"main.tf": f"# {namespace}"})
        await publish(client, caller, MODULES, a_module(namespace, archive=archive))
        path = f"/v1/modules/{namespace}/network/aws/0.1.0/download"
        location = (await client.get(path, headers=caller.headers)).json()["location"]
        sha256 = hashlib.sha256(archive).hexdigest()
        await blobs.delete(sha256)
        for method in ("GET", "HEAD"):
            with structlog.testing.capture_logs() as lines:
                answer = await client.request(method, location)
            assert answer.status_code == 503
            [line] = [line for line in lines if line["log_level"] == "error"]
            assert (line["event"], line["sha256"]) == ("blob_lost", sha256)
        [said] = (await client.get(location)).json()["errors"]
        assert "restore" in said

    async def test_has_a_status_if_it_is_damaged(
        self, database: Database, secrets: Secrets, s3: S3Server, tmp_path: Path, caller: Caller
    ) -> None:
        bucket = await s3.make_bucket()
        store = S3BlobStore(tmp_path, bucket, gives_addresses=False)
        async with a_client_of(create_app(make_services(database, secrets, store))) as client:
            namespace = await claim_namespace(client, caller)
            await publish(client, caller, MODULES, a_module(namespace, archive=ARCHIVE))
            path = f"/v1/modules/{namespace}/network/aws/0.1.0/download"
            location = (await client.get(path, headers=caller.headers)).json()["location"]
            s3.client.put_object(bucket.name, key_of(SHA256), io.BytesIO(bytes(len(ARCHIVE))), len(ARCHIVE))
            answer = await client.get(location)
            assert answer.status_code == 503
            assert "restore" in answer.json()["errors"][0]


class TestCapability:
    def address(self, secrets: Secrets, sha256: str, *, ago: timedelta = timedelta()) -> str:
        window = window_of(datetime.now(UTC) - ago)
        return f"/v1/files/{Capabilities(secrets.signing_key).issue(sha256, window=window)}/{sha256}/x.zip"

    async def test_is_good_in_its_window_and_those_beside_it_and_no_longer(
        self, client: httpx2.AsyncClient, location: str, secrets: Secrets
    ) -> None:
        assert (await client.head(location)).status_code == 200
        assert (await client.get(self.address(secrets, SHA256))).status_code == 200
        assert (await client.get(self.address(secrets, SHA256, ago=WINDOW))).status_code == 200
        assert (await client.get(self.address(secrets, SHA256, ago=-WINDOW))).status_code == 200
        for ago in (2 * WINDOW, -2 * WINDOW):
            answer = await client.get(self.address(secrets, SHA256, ago=ago))
            assert answer.status_code == 404
            assert "run the command again" in answer.json()["errors"][0]

    async def test_of_the_key_before_is_good_and_none_is_given_out(
        self, client: httpx2.AsyncClient, location: str, secrets: Secrets
    ) -> None:
        assert secrets.previous_signing_key is not None
        before = replace(secrets, signing_key=secrets.previous_signing_key)
        assert (await client.get(self.address(before, SHA256))).status_code == 200
        now = datetime.now(UTC)
        assert not Capabilities(secrets.previous_signing_key).allows(location.split("/")[3], SHA256, now=now)

    async def test_opens_nothing_else(self, client: httpx2.AsyncClient, location: str) -> None:
        capability = location.split("/")[3]
        for path in (
            f"/v1/files/{capability}/{'0' * 64}/x.zip",
            f"/v1/files/{capability}/..%2f..%2fetc%2fpasswd/x.zip",
            f"/v1/files/{capability[:-1]}/{SHA256}/x.zip",
            f"/v1/files/1.{'0' * 64}/{SHA256}/x.zip",
            f"/v1/files/%00/{SHA256}/x.zip",
        ):
            assert (await client.get(path)).status_code == 404
            assert (await client.head(path)).status_code == 404
