"""The registry's paths as its own document names them, with its example; what they do is tested where they are."""

import json
import re
from collections.abc import Awaitable, Callable

import httpx2
import pytest

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
from tests.fixtures.signing import Signer

pytestmark = pytest.mark.servers

EXAMPLE = """{
  "modules.v1": "/v1/modules/",
  "providers.v1": "/v1/providers/"
}"""
"""The document's one example: the answer of GET /.well-known/terraform.json."""
READ = (
    "/v1/modules/:namespace/:name/:system/versions",
    "/v1/modules/:namespace/:name/:system/:version/download",
    "/api/v1/modules/search",
    "/v1/providers/:namespace/:type/versions",
    "/v1/providers/:namespace/:type/:version/download/:os/:arch",
    "/api/v1/organizations",
    "/api/v1/api-keys",
    "/api/v1/analytics/downloads",
    "/api/v1/analytics/modules",
    "/api/v1/analytics/providers",
    "/api/v1/analytics/consumers",
    "/api/v1/analytics/modules/:namespace/:name/:system/:version/consumers",
    "/api/v1/analytics/providers/:namespace/:type/:version/consumers",
)
"""As the document writes them; it leaves open what there is below /api/v1/analytics."""
PARAMETERS = {
    "name": "network",
    "system": "aws",
    "type": "time",
    "version": "0.1.0",
    "os": "linux",
    "arch": "amd64",
}


@pytest.fixture(scope="module")
async def owner_of_all(
    client: httpx2.AsyncClient, make_caller: Callable[[], Awaitable[Caller]]
) -> tuple[Caller, str]:
    """Publish by the document's two paths to upload; give who did, and the namespace."""
    caller = await make_caller()
    namespace, signer = await claim_namespace(client, caller), Signer()
    await add_key(client, caller, namespace, signer)
    for path, form in (
        (MODULES, a_module(namespace)),
        (PROVIDERS, a_provider(namespace, Release(signer))),
    ):
        answer = await publish(client, caller, path, form)
        assert answer.status_code == 201, answer.text
    return caller, namespace


class TestRegistryPaths:
    async def test_discovery_answers_the_example(self, client: httpx2.AsyncClient) -> None:
        answer = await client.get("/.well-known/terraform.json")
        assert (answer.status_code, answer.json()) == (200, json.loads(EXAMPLE))

    @pytest.mark.parametrize("path", READ)
    async def test_answers_with_its_parameters(
        self, client: httpx2.AsyncClient, owner_of_all: tuple[Caller, str], path: str
    ) -> None:
        caller, namespace = owner_of_all
        given = PARAMETERS | {"namespace": namespace}
        asked = re.sub(r":(\w+)", lambda match: given[match[1]], path)
        answer = await client.get(asked, headers=caller.headers)
        assert answer.status_code == 200, answer.text

    async def test_a_key_is_made_and_deleted(
        self, client: httpx2.AsyncClient, owner_of_all: tuple[Caller, str]
    ) -> None:
        caller, _ = owner_of_all
        made = await client.post("/api/v1/api-keys", json={"name": "ci"}, headers=caller.headers)
        assert made.status_code == 201, made.text
        gone = await client.delete(f"/api/v1/api-keys/{made.json()['id']}", headers=caller.headers)
        assert gone.status_code == 204
