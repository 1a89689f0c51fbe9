"""Uploads over a real connection: who is refused early is answered, not cut off."""

import hashlib
from collections.abc import AsyncIterator

import httpx2
import pytest

from tests.factories.organizations import Caller
from tests.factories.registry import MODULES, a_module, claim_namespace
from tests.fixtures.archives import a_zip
from tests.fixtures.https import HttpsServer

pytestmark = pytest.mark.servers

LARGE = 20_000_000


async def large() -> AsyncIterator[bytes]:
    for _ in range(LARGE // 100_000):
        yield bytes(100_000)


@pytest.fixture
async def over_tls(https: HttpsServer) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(base_url=https.url, verify=https.trust, timeout=60) as made:
        yield made


class TestUploadOverTls:
    @pytest.mark.parametrize("declared", [True, False])
    async def test_a_wrong_key_is_answered(self, over_tls: httpx2.AsyncClient, declared: bool) -> None:
        headers = {"Authorization": "Bearer gwk_wrong", "Content-Type": "application/gzip"}
        if declared:
            headers["Content-Length"] = str(LARGE)
        answer = await over_tls.post(MODULES, content=large(), headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (401, "identity.unauthenticated")

    async def test_an_unclaimed_namespace_is_answered(self, over_tls: httpx2.AsyncClient, caller: Caller) -> None:
        headers = caller.headers | {"Content-Type": "application/gzip"}
        params = dict(a_module("nobody-has-claimed-this").fields)
        answer = await over_tls.post(MODULES, params=params, content=large(), headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (404, "registry.namespace_not_found")

    async def test_what_was_sent_is_what_is_served(
        self, over_tls: httpx2.AsyncClient, client: httpx2.AsyncClient, caller: Caller
    ) -> None:
        namespace = await claim_namespace(client, caller)
        noise = b"".join(hashlib.sha256(number.to_bytes(4)).digest() for number in range(200_000))
        archive = a_zip({"main.tf": "", "noise": noise})
        form = a_module(namespace, archive=archive)
        answer = await over_tls.post(MODULES, headers=caller.headers, **form.request)  # type: ignore[arg-type]
        assert (answer.status_code, answer.json()["sha256"]) == (201, hashlib.sha256(archive).hexdigest())
        path = f"/v1/modules/{namespace}/network/aws/0.1.0/download"
        location = (await over_tls.get(path, headers=caller.headers)).headers["x-terraform-get"]
        assert (await over_tls.get(location)).content == archive
        half = await over_tls.get(location, headers={"Range": f"bytes={len(archive) // 2}-"})
        assert half.content == archive[len(archive) // 2 :]
