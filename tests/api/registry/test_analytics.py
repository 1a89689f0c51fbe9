"""Counting what is installed: each answer once, by whom and with what, whether it was built or kept."""

from datetime import UTC, datetime, timedelta

import httpx2
import pytest

from services.all import Services
from services.registry.counter import DownloadCounter
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

ANALYTICS = "/api/v1/analytics"
TERRAFORM = {"User-Agent": "Terraform/1.11.4 (+https://www.terraform.io)"}
TOFU = {"User-Agent": "OpenTofu/1.12.6"}


@pytest.fixture
def counter(services: Services) -> DownloadCounter:
    return services.registry.counter


@pytest.fixture
async def namespace(client: httpx2.AsyncClient, caller: Caller) -> str:
    namespace = await claim_namespace(client, caller)
    await publish(client, caller, MODULES, a_module(namespace))
    return namespace


async def asked(client: httpx2.AsyncClient, caller: Caller, path: str, **query: str) -> list[dict[str, object]]:
    answer = await client.get(f"{ANALYTICS}/{path}", params=query, headers=caller.headers)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, object]] = answer.json()["items"]
    return items


class TestDownloads:
    async def test_are_counted_each_time_by_key_and_tool(
        self, client: httpx2.AsyncClient, caller: Caller, namespace: str, counter: DownloadCounter
    ) -> None:
        made = await client.post("/api/v1/api-keys", json={"name": "pipeline"}, headers=caller.headers)
        pipeline = {"Authorization": f"Bearer {made.json()['key']}"}
        path = f"/v1/modules/{namespace}/network/aws/0.1.0/download"
        for headers in (caller.headers | TERRAFORM, caller.headers | TOFU, pipeline | TOFU, pipeline | TOFU):
            assert (await client.get(path, headers=headers)).status_code == 200
        await counter.write()
        consumers = await asked(client, caller, f"modules/{namespace}/network/aws/0.1.0/consumers")
        shown = {str(each["name"]): (each["tools"], each["downloads"]) for each in consumers}
        assert shown.pop("pipeline") == (["OpenTofu/1.12"], 2)
        assert list(shown.values()) == [(["OpenTofu/1.12", "Terraform/1.11"], 2)]
        [most] = await asked(client, caller, "modules")
        assert (most["address"], most["downloads"], most["api_keys"]) == (f"{namespace}/network/aws", 4, 2)

    async def test_are_added_up_by_key_the_most_first(
        self, client: httpx2.AsyncClient, caller: Caller, namespace: str, counter: DownloadCounter
    ) -> None:
        made = await client.post("/api/v1/api-keys", json={"name": "pipeline"}, headers=caller.headers)
        pipeline = {"Authorization": f"Bearer {made.json()['key']}"}
        for headers in (caller.headers, pipeline, pipeline):
            await client.get(f"/v1/modules/{namespace}/network/aws/0.1.0/download", headers=headers)
        await counter.write()
        most, other = await asked(client, caller, "consumers")
        assert (most["name"], most["downloads"], other["downloads"]) == ("pipeline", 2, 1)
        assert await asked(client, caller, "consumers", limit="1") == [most]
        yesterday = (datetime.now(UTC) - timedelta(days=1)).isoformat()
        assert await asked(client, caller, "consumers", to=yesterday) == []

    async def test_are_counted_when_they_are_asked_for_in_an_unusual_way(
        self, client: httpx2.AsyncClient, caller: Caller, namespace: str, counter: DownloadCounter
    ) -> None:
        path = f"/v1/modules/{namespace}/network/aws/0.1.0/download"
        for query, headers in (("", {}), ("?x=1", {}), ("", {"Range": "bytes=0-"}), ("?x=1", {})):
            assert (await client.get(f"{path}{query}", headers=caller.headers | headers)).status_code == 200
        await counter.write()
        [consumer] = await asked(client, caller, f"modules/{namespace}/network/aws/0.1.0/consumers")
        assert consumer["downloads"] == 4

    async def test_of_a_version_are_shown_however_it_is_written_and_of_none_not(
        self, client: httpx2.AsyncClient, caller: Caller, namespace: str, counter: DownloadCounter
    ) -> None:
        path = f"/v1/modules/{namespace}/network/aws/v0.1/download"
        assert (await client.get(path, headers=caller.headers | TOFU)).status_code == 200
        await counter.write()
        for version in ("0.1.0", "v0.1"):
            [consumer] = await asked(client, caller, f"modules/{namespace}/network/aws/{version}/consumers")
            assert consumer["downloads"] == 1
        answer = await client.get(
            f"{ANALYTICS}/modules/{namespace}/network/aws/9.9.9/consumers", headers=caller.headers
        )
        assert (answer.status_code, answer.json()["code"]) == (404, "registry.module_not_found")

    async def test_of_providers_are_counted_whatever_the_platform(
        self, client: httpx2.AsyncClient, caller: Caller, namespace: str, counter: DownloadCounter
    ) -> None:
        signer = Signer()
        await add_key(client, caller, namespace, signer)
        await publish(client, caller, PROVIDERS, a_provider(namespace, Release(signer)))
        path = f"/v1/providers/{namespace}/time/0.1.0/download/linux/amd64"
        assert (await client.get(path, headers=caller.headers | TOFU)).status_code == 200
        await counter.write()
        [most] = await asked(client, caller, "providers")
        assert (most["address"], most["downloads"]) == (f"{namespace}/time", 1)
        [consumer] = await asked(client, caller, f"providers/{namespace}/time/0.1.0/consumers")
        assert consumer["tools"] == ["OpenTofu/1.12"]

    async def test_are_added_up_by_hour_and_day(
        self, client: httpx2.AsyncClient, caller: Caller, namespace: str, counter: DownloadCounter
    ) -> None:
        path = f"/v1/modules/{namespace}/network/aws/0.1.0/download"
        for _ in range(3):
            await client.get(path, headers=caller.headers)
        await counter.write()
        for interval, form in (("hour", "%Y-%m-%dT%H"), ("day", "%Y-%m-%d")):
            [counted] = await asked(client, caller, "downloads", interval=interval, kind="module")
            assert (str(counted["at"])[: len(datetime.now(UTC).strftime(form))], counted["downloads"]) == (
                datetime.now(UTC).strftime(form),
                3,
            )
        assert await asked(client, caller, "downloads", kind="provider") == []
        yesterday = (datetime.now(UTC) - timedelta(days=1)).isoformat()
        assert await asked(client, caller, "downloads", to=yesterday) == []

    @pytest.mark.parametrize(
        "query",
        [
            {"from": "2026-11-24T01:00:00+01:00", "to": "2026-11-24T00:00:00Z"},
            {"from": "2026-11-24T00:00:00Z", "to": "2026-11-23T00:00:00Z"},
            {"from": "8999-12-31T00:00:00Z"},
        ],
    )
    async def test_of_a_period_without_a_moment_can_not_be_asked_for(
        self, client: httpx2.AsyncClient, caller: Caller, query: dict[str, str]
    ) -> None:
        for path in ("downloads", "modules", "providers", "consumers"):
            answer = await client.get(f"{ANALYTICS}/{path}", params=query, headers=caller.headers)
            assert (answer.status_code, answer.json()["code"]) == (422, "registry.period_invalid")

    async def test_are_shown_to_nobody_of_another_organization(
        self,
        client: httpx2.AsyncClient,
        caller: Caller,
        stranger: Caller,
        namespace: str,
        counter: DownloadCounter,
    ) -> None:
        path = f"modules/{namespace}/network/aws/0.1.0"
        assert (await client.get(f"/v1/{path}/download", headers=caller.headers)).status_code == 200
        await counter.write()
        for listed in ("downloads", "modules", "providers", "consumers"):
            assert await asked(client, stranger, listed) == []
        answer = await client.get(f"{ANALYTICS}/{path}/consumers", headers=stranger.headers)
        assert (answer.status_code, answer.json()["code"]) == (404, "registry.module_not_found")

    async def test_that_nobody_was_told_where_it_is_counts_nothing(
        self,
        client: httpx2.AsyncClient,
        caller: Caller,
        stranger: Caller,
        namespace: str,
        counter: DownloadCounter,
    ) -> None:
        path = f"/v1/modules/{namespace}/network/aws/{{}}/download"
        assert (await client.get(path.format("0.1.0"), headers=stranger.headers)).status_code == 404
        assert (await client.get(path.format("9.9.9"), headers=caller.headers)).status_code == 404
        await client.get(f"/v1/modules/{namespace}/network/aws/versions", headers=caller.headers)
        await counter.write()
        assert await asked(client, caller, "modules") == []
