"""Deprecating and yanking versions: who may, what the tools are told, and how it is taken back."""

from typing import Any

import httpx2
import pytest
from sqlalchemy import text

from storage.database import Database
from tests.factories.organizations import Caller
from tests.factories.registry import (
    LINUX,
    MODULES,
    PROVIDERS,
    Release,
    a_module,
    a_provider,
    add_key,
    claim_namespace,
    publish,
)
from tests.fixtures.archives import a_provider_zip
from tests.fixtures.signing import Signer

pytestmark = pytest.mark.servers

SIGNER = Signer()
OLD = {"message": "Its subnets overlap.", "replacement": "2.0.0"}
NEW = {"message": "Its subnets overlap.", "replacement": "1.0.0"}
BROKEN = {"reason": "It destroys the database."}


class Registry:
    """A namespace with a module and a provider of two versions each, and what is asked of it."""

    def __init__(self, client: httpx2.AsyncClient, caller: Caller, namespace: str) -> None:
        self.client = client
        self.caller = caller
        self.module = f"{namespace}/network/aws"
        self.provider = f"{namespace}/time"

    async def get(self, path: str) -> Any:  # noqa: ANN401  JSON
        answer = await self.client.get(path, headers=self.caller.headers)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def put(self, path: str, body: dict[str, Any], *, status: int = 200) -> Any:  # noqa: ANN401  JSON
        answer = await self.client.put(path, json=body, headers=self.caller.headers)
        assert answer.status_code == status, answer.text
        return answer.json()

    async def delete(self, path: str) -> None:
        answer = await self.client.delete(path, headers=self.caller.headers)
        assert answer.status_code == 204, answer.text

    async def versions(self, of: str) -> list[str]:
        """Give the versions that the tools are offered."""
        if of == self.module:
            [listed] = (await self.get(f"/v1/modules/{of}/versions"))["modules"]
        else:
            listed = await self.get(f"/v1/providers/{of}/versions")
        return [each["version"] for each in listed["versions"]]

    async def latest(self) -> list[tuple[str | None, bool]]:
        """Give what lists show of the module and of the provider."""
        lists = [await self.get(path) for path in (MODULES, PROVIDERS)]
        return [(item["latest_version"], item["deprecated"]) for found in lists for item in found["items"]]


def path(of: str, version: str, what: str) -> str:
    """Give the path of what is said of a version."""
    return f"{MODULES if of.count('/') > 1 else PROVIDERS}/{of}/{version}/{what}"


@pytest.fixture
async def registry(client: httpx2.AsyncClient, caller: Caller) -> Registry:
    namespace = await claim_namespace(client, caller)
    await add_key(client, caller, namespace, SIGNER)
    for version in ("1.0.0", "2.0.0"):
        await publish(client, caller, MODULES, a_module(namespace, version=version))
        release = Release(SIGNER, version=version, packages={LINUX: a_provider_zip(version=version)})
        published = await publish(client, caller, PROVIDERS, a_provider(namespace, release))
        assert published.status_code == 201, published.text
    return Registry(client, caller, namespace)


class TestDeprecate:
    async def test_keeps_offering_the_version_and_shows_the_words(self, registry: Registry) -> None:
        for of in (registry.module, registry.provider):
            said = await registry.put(path(of, "2.0.0", "deprecation"), NEW)
            assert {name: said[name] for name in NEW} == NEW
            assert await registry.versions(of) == ["2.0.0", "1.0.0"]
        assert await registry.latest() == [("2.0.0", True), ("2.0.0", True)]

    async def test_warns_the_users_of_a_provider_who_have_no_other_place_to_read_it(
        self, registry: Registry
    ) -> None:
        versions = f"/v1/providers/{registry.provider}/versions"
        assert "warnings" not in await registry.get(versions)
        await registry.put(path(registry.provider, "1.0.0", "deprecation"), OLD)
        sentence = "1.0.0 is deprecated: Its subnets overlap. (use 2.0.0)"
        assert (await registry.get(versions))["warnings"] == [sentence]

    async def test_names_a_replacement_that_is_on_offer_or_an_address(self, registry: Registry) -> None:
        for of in (registry.module, registry.provider):
            await registry.put(path(of, "2.0.0", "yank"), BROKEN)
            for replacement in ("9.9.9", "v1.0", "2.0.0"):
                said = await registry.put(
                    path(of, "1.0.0", "deprecation"), {"message": "Old.", "replacement": replacement}, status=422
                )
                assert said["code"] == "registry.replacement_not_found"
                assert "is not on offer in place of 1.0.0; there is no other version: publish" in said["detail"]
            said = await registry.put(path(of, "2.0.0", "deprecation"), OLD, status=422)
            assert "2.0.0 is not on offer in place of 2.0.0; there are 1.0.0: name one of them" in said["detail"]
            for replacement, shown in (("v1.0", "1.0.0"), (of, of), ("ours/other/aws", "ours/other/aws")):
                words = {"message": "Old.", "replacement": replacement}
                assert (await registry.put(path(of, "2.0.0", "deprecation"), words))["replacement"] == shown

    async def test_is_taken_back(self, registry: Registry) -> None:
        for of in (registry.module, registry.provider):
            await registry.put(path(of, "2.0.0", "deprecation"), NEW)
            for _ in range(2):
                await registry.delete(path(of, "2.0.0", "deprecation"))
        assert await registry.latest() == [("2.0.0", False), ("2.0.0", False)]

    async def test_ends_for_the_whole_with_a_newer_version(
        self, registry: Registry, client: httpx2.AsyncClient, caller: Caller
    ) -> None:
        await registry.put(path(registry.module, "2.0.0", "deprecation"), NEW)
        await publish(client, caller, MODULES, a_module(registry.module.partition("/")[0], version="3.0.0"))
        found = await registry.get(f"{MODULES}/search?deprecated=false")
        assert [item["latest_version"] for item in found["items"]] == ["3.0.0"]
        assert (await registry.get(f"{MODULES}/search?deprecated=true"))["items"] == []

    async def test_is_recorded_once_however_often_it_is_said(self, registry: Registry, database: Database) -> None:
        once = path(registry.module, "1.0.0", "deprecation")
        first, second = [await registry.put(once, OLD) for _ in range(2)]
        assert first == second
        await registry.put(once, {"message": "Other words."})
        async with database.transaction(registry.caller.scope) as session:
            found = await session.execute(
                text("SELECT changes FROM audit_event WHERE action = 'registry.module_deprecated' ORDER BY id")
            )
            deeds = [changes for (changes,) in found]
        assert [(deed["deprecation"], deed["replacement"]) for deed in deeds] == [
            (OLD["message"], OLD["replacement"]),
            ("Other words.", None),
        ]

    @pytest.mark.parametrize("message", ["", " ", "two\nlines", "\x1b[31mred", "\u202eright to left", "a" * 501])
    async def test_refuses_what_would_not_be_a_line_in_a_terminal(self, registry: Registry, message: str) -> None:
        await registry.put(path(registry.module, "1.0.0", "deprecation"), {"message": message}, status=422)
        assert await registry.latest() == [("2.0.0", False), ("2.0.0", False)]


class TestYank:
    async def test_offers_the_version_no_longer_and_still_gives_it_to_who_asks_for_exactly_it(
        self, registry: Registry
    ) -> None:
        for of, kind, rest in (
            (registry.module, "modules", "download"),
            (registry.provider, "providers", "download/linux/amd64"),
        ):
            assert (await registry.put(path(of, "2.0.0", "yank"), BROKEN))["reason"] == BROKEN["reason"]
            assert await registry.versions(of) == ["1.0.0"]
            await registry.get(f"/v1/{kind}/{of}/2.0.0/{rest}")
        assert await registry.latest() == [("1.0.0", False), ("1.0.0", False)]

    async def test_of_the_last_version_leaves_nothing_to_install(self, registry: Registry) -> None:
        for of in (registry.module, registry.provider):
            for version in ("1.0.0", "2.0.0"):
                await registry.put(path(of, version, "yank"), BROKEN)
            assert await registry.versions(of) == []
        assert await registry.latest() == [(None, False), (None, False)]

    async def test_tells_the_users_of_a_provider_why(self, registry: Registry) -> None:
        for version in ("1.0.0", "2.0.0"):
            await registry.put(path(registry.provider, version, "yank"), BROKEN)
        answer = await registry.get(f"/v1/providers/{registry.provider}/versions")
        assert answer["warnings"] == ["2.0.0, 1.0.0 are yanked, so no longer offered: It destroys the database."]

    async def test_is_taken_back(self, registry: Registry) -> None:
        for of in (registry.module, registry.provider):
            await registry.put(path(of, "2.0.0", "yank"), BROKEN)
            for _ in range(2):
                await registry.delete(path(of, "2.0.0", "yank"))
            assert await registry.versions(of) == ["2.0.0", "1.0.0"]

    async def test_is_not_undone_by_publishing_the_same_bytes_again(
        self, registry: Registry, client: httpx2.AsyncClient, caller: Caller
    ) -> None:
        await registry.put(path(registry.module, "2.0.0", "yank"), BROKEN)
        again = await publish(client, caller, MODULES, a_module(registry.module.split("/")[0], version="2.0.0"))
        assert (again.status_code, again.json()["yank"]["reason"]) == (200, BROKEN["reason"])
        assert await registry.versions(registry.module) == ["1.0.0"]


class TestListVersions:
    async def test_shows_what_was_said_of_each_in_order_of_publication(self, registry: Registry) -> None:
        for of in (registry.module, registry.provider):
            await registry.put(path(of, "1.0.0", "yank"), BROKEN)
            await registry.put(path(of, "2.0.0", "deprecation"), {"message": OLD["message"]})
            versions = f"{MODULES if of == registry.module else PROVIDERS}/{of}/versions"
            first = await registry.get(f"{versions}?limit=1")
            second = await registry.get(f"{versions}?limit=1&cursor={first['next_cursor']}")
            [yanked], [deprecated] = first["items"], second["items"]
            assert (yanked["version"], yanked["yank"]["reason"]) == ("1.0.0", BROKEN["reason"])
            assert (deprecated["version"], deprecated["deprecation"]["message"]) == ("2.0.0", OLD["message"])
            assert (yanked["deprecation"], deprecated["yank"], second["next_cursor"]) == (None, None, None)


class TestWithdrawing:
    async def test_what_is_not_there_is_not_found(self, registry: Registry) -> None:
        for of in (registry.module, registry.provider):
            for bent, version in ((of, "9.9.9"), (f"{of}x", "1.0.0")):
                await registry.put(path(bent, version, "yank"), BROKEN, status=404)

    async def test_takes_a_version_as_the_tools_write_it(self, registry: Registry) -> None:
        await registry.put(path(registry.module, "v1.0", "yank"), BROKEN)
        assert await registry.versions(registry.module) == ["2.0.0"]

    @pytest.mark.parametrize("scope", ["module:publish", "provider:publish"])
    async def test_needs_the_permission_to_publish(
        self, registry: Registry, client: httpx2.AsyncClient, caller: Caller, scope: str
    ) -> None:
        body = {"name": "publisher", "scopes": [scope]}
        key = (await client.post("/api/v1/api-keys", json=body, headers=caller.headers)).json()["key"]
        statuses = [
            (
                await client.put(
                    path(of, "1.0.0", "yank"), json=BROKEN, headers={"Authorization": f"Bearer {key}"}
                )
            ).status_code
            for of in (registry.module, registry.provider)
        ]
        assert statuses == ([200, 403] if scope == "module:publish" else [403, 200])
