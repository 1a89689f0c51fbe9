"""Files at addresses that carry their own permission."""

import hashlib
import time
from datetime import UTC, datetime, timedelta

import httpx2
import pytest

from config.secrets import Secrets
from domain.registry.capability import WINDOW, Capabilities, window_of
from tests.factories.organizations import Caller
from tests.factories.registry import MODULES, a_module, claim_namespace, publish
from tests.fixtures.archives import a_zip

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

    async def test_a_hundred_thousand_parts_take_no_time(self, client: httpx2.AsyncClient, location: str) -> None:
        started = time.process_time()
        answer = await client.get(location, headers={"Range": "bytes=" + "0-0," * 100_000})
        assert answer.status_code == 200
        assert time.process_time() - started < 0.2

    async def test_a_changed_file_is_sent_whole(self, client: httpx2.AsyncClient, location: str) -> None:
        answer = await client.get(location, headers={"Range": "bytes=0-0", "If-Range": '"another"'})
        assert (answer.status_code, answer.content) == (200, ARCHIVE)


class TestCapability:
    def address(self, secrets: Secrets, sha256: str, *, ago: timedelta = timedelta()) -> str:
        window = window_of(datetime.now(UTC) - ago)
        return f"/v1/files/{Capabilities(secrets.signing_key).issue(sha256, window=window)}/{sha256}/x.zip"

    async def test_is_good_in_the_next_window_and_no_longer(
        self, client: httpx2.AsyncClient, location: str, secrets: Secrets
    ) -> None:
        assert (await client.head(location)).status_code == 200
        assert (await client.get(self.address(secrets, SHA256))).status_code == 200
        assert (await client.get(self.address(secrets, SHA256, ago=WINDOW))).status_code == 200
        for ago in (2 * WINDOW, -WINDOW):
            answer = await client.get(self.address(secrets, SHA256, ago=ago))
            assert answer.status_code == 404
            assert "run the command again" in answer.json()["errors"][0]

    async def test_opens_nothing_else(self, client: httpx2.AsyncClient, location: str, secrets: Secrets) -> None:
        capability = location.split("/")[3]
        for path in (
            f"/v1/files/{capability}/{'0' * 64}/x.zip",
            f"/v1/files/{capability}/..%2f..%2fetc%2fpasswd/x.zip",
            f"/v1/files/{capability[:-1]}/{SHA256}/x.zip",
            f"/v1/files/1.{'0' * 64}/{SHA256}/x.zip",
            f"/v1/files/%00/{SHA256}/x.zip",
            self.address(secrets, "f" * 64),
        ):
            assert (await client.get(path)).status_code == 404
            assert (await client.head(path)).status_code == 404
