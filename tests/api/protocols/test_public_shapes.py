"""Lists and details in the public registry's shapes, which bots and user interfaces were written against."""

from typing import Any
from uuid import UUID

import httpx2
import pytest

from domain.registry.documents import VersionReference
from services.all import Services
from storage.database import Database
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
from tests.fixtures.archives import a_provider_zip, a_tar_gz
from tests.fixtures.queries import counted_queries
from tests.fixtures.signing import Signer

pytestmark = pytest.mark.servers

SIGNER = Signer()
ENTRY = {
    "id",
    "owner",
    "namespace",
    "name",
    "version",
    "description",
    "source",
    "published_at",
    "downloads",
}
PART = {
    "path",
    "name",
    "readme",
    "empty",
    "inputs",
    "outputs",
    "dependencies",
    "provider_dependencies",
    "resources",
    "unreadable",
}
DECLARING = {
    "main.tf": """
        variable "cidr" {
          type        = string
          description = "Range."
        }
        variable "zones" {
          type    = list(string)
          default = ["a"]
        }
        terraform {
          required_providers {
            time = {
              source  = "hashicorp/time"
              version = ">= 0.9"
            }
          }
        }
        resource "terraform_data" "it" {}
        module "inner" {
          source = "./modules/inner"
        }
        output "range" {
          value       = var.cidr
          description = "As given."
        }
    """,
    "README.md": "# A network",
    "modules/inner/main.tf": 'output "name" {\n  value = "inner"\n}\n',
    "modules/inner/README.md": "# Inside",
    "examples/small/main.tf": 'module "network" {\n  source = "../.."\n  cidr   = "10.0.0.0/16"\n}\n',
}


@pytest.fixture
async def namespace(client: httpx2.AsyncClient, caller: Caller) -> str:
    return await claim_namespace(client, caller)


@pytest.fixture
async def modules(client: httpx2.AsyncClient, caller: Caller, namespace: str) -> str:
    """Publish four modules; give their namespace."""
    for name, system, version in (
        ("network", "aws", "1.0.0"),
        ("network", "aws", "1.10.0"),
        ("network", "aws", "1.9.0"),
        ("network", "aws", "2.0.0-rc.1"),
        ("network", "gcp", "0.1.0"),
        ("disk", "aws", "0.1.0"),
        ("queue", "aws", "0.1.0"),
    ):
        form = a_module(namespace, name=name, system=system, version=version)
        await publish(client, caller, MODULES, Form({**form.fields, "description": f"A {name}."}, form.files))
    return namespace


@pytest.fixture
async def provider(client: httpx2.AsyncClient, caller: Caller, namespace: str) -> str:
    await add_key(client, caller, namespace, SIGNER)
    for version in ("0.2.0", "0.10.0"):
        release = Release(SIGNER, version=version, packages={LINUX: a_provider_zip(version=version)})
        await publish(client, caller, PROVIDERS, a_provider(namespace, release))
    return f"{namespace}/time"


async def get(client: httpx2.AsyncClient, caller: Caller, path: str) -> Any:  # noqa: ANN401  JSON
    answer = await client.get(path, headers=caller.headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/json"
    return answer.json()


def names(found: Any) -> list[str]:  # noqa: ANN401  JSON
    """Give what is in a list of modules."""
    return [f"{entry['name']}/{entry['provider']}/{entry['version']}" for entry in found["modules"]]


class TestListModules:
    async def test_shows_the_latest_version_of_each(
        self, client: httpx2.AsyncClient, caller: Caller, modules: str
    ) -> None:
        found = await get(client, caller, "/v1/modules")
        assert found["meta"] == {"limit": 15, "current_offset": 0}
        assert names(found) == ["network/aws/1.10.0", "network/gcp/0.1.0", "disk/aws/0.1.0", "queue/aws/0.1.0"]
        entry = found["modules"][0]
        assert set(entry) == ENTRY | {"provider", "verified"}
        assert entry["id"] == f"{modules}/network/aws/1.10.0"
        assert (entry["namespace"], entry["description"]) == (modules, "A network.")
        assert entry["published_at"].endswith("Z")

    async def test_says_where_it_goes_on_and_came_from(
        self, client: httpx2.AsyncClient, caller: Caller, modules: str
    ) -> None:
        path = f"/v1/modules/{modules}?provider=aws&limit=1"
        seen = []
        for meta in (
            {"limit": 1, "current_offset": 0, "next_offset": 1},
            {"limit": 1, "current_offset": 1, "next_offset": 2, "prev_offset": 0},
            {"limit": 1, "current_offset": 2, "prev_offset": 1},
        ):
            found = await get(client, caller, path)
            assert {key: value for key, value in found["meta"].items() if not key.endswith("_url")} == meta
            seen += names(found)
            path = found["meta"].get("next_url")
            assert path in {f"/v1/modules/{modules}?limit=1&offset={len(seen)}&provider=aws", None}
        assert seen == ["network/aws/1.10.0", "disk/aws/0.1.0", "queue/aws/0.1.0"]

    @pytest.mark.parametrize(
        "query", ["limit=0", "limit=many", "offset=-1", "offset=99999999999999999999", "q=%00"]
    )
    async def test_refuses_what_no_list_has(self, client: httpx2.AsyncClient, caller: Caller, query: str) -> None:
        answer = await client.get(f"/v1/modules/search?{query}", headers=caller.headers)
        assert answer.status_code == 422
        assert list(answer.json()) == ["errors"]

    async def test_shows_a_hundred_at_most_and_says_so(
        self, client: httpx2.AsyncClient, caller: Caller, modules: str
    ) -> None:
        found = await get(client, caller, f"/v1/modules/{modules}?limit=1000")
        assert (found["meta"], len(found["modules"])) == ({"limit": 100, "current_offset": 0}, 4)

    async def test_asks_the_database_as_much_for_one_as_for_many(
        self, client: httpx2.AsyncClient, caller: Caller, modules: str, database: Database
    ) -> None:
        asked = []
        for limit in (1, 100):
            with counted_queries(database) as statements:
                await get(client, caller, f"/v1/modules/search?q=a&namespace={modules}&limit={limit}")
            asked.append(len(statements))
        assert asked == [4, 4]  # for whom it is, what begins so, what there is, how often it was installed

    async def test_leaves_out_what_offers_no_version(
        self, client: httpx2.AsyncClient, caller: Caller, modules: str
    ) -> None:
        yank = f"{MODULES}/{modules}/disk/aws/0.1.0/yank"
        await client.put(yank, json={"reason": "Broken."}, headers=caller.headers)
        assert "disk/aws/0.1.0" not in names(await get(client, caller, "/v1/modules"))
        answer = await client.get(f"/v1/modules/{modules}/disk/aws", headers=caller.headers)
        assert (answer.status_code, answer.json()) == (404, {"errors": ["every version of this module is yanked"]})


class TestSearchModules:
    @pytest.mark.parametrize(
        ("query", "found"),
        [
            ("q=net", ["network/aws/1.10.0", "network/gcp/0.1.0"]),
            ("q=net&provider=gcp", ["network/gcp/0.1.0"]),
            ("q=a+gcp&verified=true", ["network/gcp/0.1.0"]),
            ("q=a+gcp&verified=whatever", ["network/gcp/0.1.0"]),
            ("q=a+disk&namespace=elsewhere", []),
        ],
    )
    async def test_finds_by_beginnings_of_words_and_filters(
        self, client: httpx2.AsyncClient, caller: Caller, modules: str, query: str, found: list[str]
    ) -> None:
        assert modules
        assert names(await get(client, caller, f"/v1/modules/search?{query}")) == found


class TestModulesOfOneName:
    async def test_are_one_for_each_system(self, client: httpx2.AsyncClient, caller: Caller, modules: str) -> None:
        found = await get(client, caller, f"/v1/modules/{modules}/network")
        assert names(found) == ["network/aws/1.10.0", "network/gcp/0.1.0"]

    @pytest.mark.parametrize("path", ["nobody", "{}/nothing", "{}/network/azurerm", "{}/network/aws/9.9.9"])
    async def test_that_are_not_there_are_not_found_in_the_protocols_form(
        self, client: httpx2.AsyncClient, caller: Caller, modules: str, path: str
    ) -> None:
        answer = await client.get(f"/v1/modules/{path.format(modules)}", headers=caller.headers)
        assert answer.status_code == 404
        assert list(answer.json()) == ["errors"]


class TestModule:
    async def test_is_shown_in_its_latest_version_with_all_that_are_offered(
        self, client: httpx2.AsyncClient, caller: Caller, modules: str
    ) -> None:
        found = await get(client, caller, f"/v1/modules/{modules}/network/aws")
        assert found["id"] == f"{modules}/network/aws/1.10.0"
        assert found["versions"] == ["1.0.0", "1.9.0", "1.10.0", "2.0.0-rc.1"]
        assert found["providers"] == ["aws", "gcp"]

    async def test_is_shown_in_any_version_also_a_yanked_one(
        self, client: httpx2.AsyncClient, caller: Caller, modules: str
    ) -> None:
        path = f"{MODULES}/{modules}/network/aws/1.0.0"
        await client.put(f"{path}/yank", json={"reason": "Broken."}, headers=caller.headers)
        await client.put(f"{path}/deprecation", json={"message": "Old."}, headers=caller.headers)
        found = await get(client, caller, f"/v1/modules/{modules}/network/aws/v1.0")
        assert (found["version"], found["yank"]["reason"], found["deprecation"]["message"]) == (
            "1.0.0",
            "Broken.",
            "Old.",
        )
        assert "1.0.0" not in found["versions"]

    async def test_is_downloaded_in_its_latest_version(
        self, client: httpx2.AsyncClient, caller: Caller, modules: str
    ) -> None:
        answer = await client.get(f"/v1/modules/{modules}/network/aws/download", headers=caller.headers)
        assert answer.status_code == 302
        assert answer.headers["location"] == f"/v1/modules/{modules}/network/aws/1.10.0/download"
        assert "location" in await get(client, caller, answer.headers["location"])


class TestWhatAModuleDeclares:
    async def test_is_shown_as_soon_as_it_is_read_with_every_field_of_the_public_registry(
        self, client: httpx2.AsyncClient, caller: Caller, services: Services, namespace: str
    ) -> None:
        form = a_module(namespace, archive=a_tar_gz(DECLARING))
        version_id = UUID((await publish(client, caller, MODULES, form)).json()["id"])
        path = f"/v1/modules/{namespace}/network/aws/0.1.0"
        before = await get(client, caller, path)
        assert before["documents"] == {"state": "pending", "reason": "its code is not read yet"}
        assert (set(before["root"]), before["root"]["empty"]) == (PART, True)
        assert (before["submodules"], before["examples"]) == ([], [])

        reference = VersionReference(organization_id=caller.organization.id, module_version_id=version_id)
        await services.registry.documents.read(reference)

        found = await get(client, caller, path)
        assert found["documents"] == {"state": "ready", "reason": None}
        root = found["root"]
        assert set(root) == PART
        assert (root["path"], root["name"], root["readme"], root["empty"]) == ("", "network", "# A network", False)
        inputs = [tuple(each[name] for name in ("name", "type", "default", "required")) for each in root["inputs"]]
        assert inputs == [("cidr", "string", "", True), ("zones", "list(string)", '["a"]', False)]
        assert root["inputs"][0]["description"] == "Range."
        [output] = root["outputs"]
        assert (output["name"], output["description"]) == ("range", "As given.")
        assert root["dependencies"] == [{"name": "inner", "source": "./modules/inner", "version": ""}]
        assert root["provider_dependencies"][0] == {
            "name": "time",
            "namespace": "hashicorp",
            "source": "hashicorp/time",
            "version": ">= 0.9.0",
        }
        assert [(each["type"], each["name"]) for each in root["resources"]] == [("terraform_data", "it")]
        [inner] = found["submodules"]
        assert (inner["path"], inner["name"], inner["readme"]) == ("modules/inner", "inner", "# Inside")
        assert [each["path"] for each in found["examples"]] == ["examples/small"]
        assert {**found, "root": None} == {**await get(client, caller, path.rpartition("/")[0]), "root": None}

    async def test_that_can_not_be_read_is_empty_and_says_why(
        self, client: httpx2.AsyncClient, caller: Caller, services: Services, namespace: str
    ) -> None:
        form = a_module(namespace, archive=a_tar_gz({"main.tf": 'variable "x" {'}))
        version_id = UUID((await publish(client, caller, MODULES, form)).json()["id"])
        reference = VersionReference(organization_id=caller.organization.id, module_version_id=version_id)
        await services.registry.documents.read(reference)
        found = await get(client, caller, f"/v1/modules/{namespace}/network/aws")
        assert found["documents"]["state"] == "unreadable"
        assert "Unclosed configuration block on main.tf line 1" in found["documents"]["reason"]
        assert (found["root"]["empty"], found["root"]["inputs"]) == (True, [])


class TestDownloads:
    async def test_are_of_all_versions_together_in_lists_and_pages(
        self, client: httpx2.AsyncClient, caller: Caller, modules: str, provider: str, services: Services
    ) -> None:
        name = f"/v1/modules/{modules}/network/aws"
        of_provider = f"/v1/providers/{provider}"
        for path in (
            f"{name}/1.0.0/download",
            f"{name}/1.10.0/download",
            f"/v1/modules/{modules}/disk/aws/0.1.0/download",
            f"{of_provider}/0.2.0/download/linux/amd64",
            f"{of_provider}/0.10.0/download/linux/amd64",
            f"{of_provider}/0.10.0/download/linux/amd64",
        ):
            await get(client, caller, path)
        await services.registry.counter.write()
        await get(client, caller, f"{name}/1.0.0/download")
        await services.registry.counter.write()
        listed = (await get(client, caller, "/v1/modules"))["modules"]
        assert {each["id"].removeprefix(f"{modules}/"): each["downloads"] for each in listed} == {
            "network/aws/1.10.0": 3,
            "network/gcp/0.1.0": 0,
            "disk/aws/0.1.0": 1,
            "queue/aws/0.1.0": 0,
        }
        assert (await get(client, caller, f"{name}/1.9.0"))["downloads"] == 3
        [entry] = (await get(client, caller, "/v1/providers"))["providers"]
        assert entry["downloads"] == (await get(client, caller, of_provider))["downloads"] == 3


class TestProviders:
    async def test_are_listed_with_their_latest_version(
        self, client: httpx2.AsyncClient, caller: Caller, provider: str
    ) -> None:
        for path in ("/v1/providers", f"/v1/providers/{provider.split('/', maxsplit=1)[0]}"):
            found = await get(client, caller, path)
            assert found["meta"] == {"limit": 15, "current_offset": 0}
            [entry] = found["providers"]
            assert set(entry) == ENTRY
            assert entry["id"] == f"{provider}/0.10.0"

    async def test_are_shown_in_any_version(
        self, client: httpx2.AsyncClient, caller: Caller, provider: str
    ) -> None:
        for path, version in (("", "0.10.0"), ("/0.2.0", "0.2.0"), ("/v0.2", "0.2.0")):
            found = await get(client, caller, f"/v1/providers/{provider}{path}")
            assert (found["version"], found["versions"]) == (version, ["0.2.0", "0.10.0"])
            assert set(found) == ENTRY | {"versions", "docs", "deprecation", "yank"}

    async def test_that_are_all_yanked_are_shown_one_by_one_and_have_no_latest(
        self, client: httpx2.AsyncClient, caller: Caller, provider: str
    ) -> None:
        for version in ("0.2.0", "0.10.0"):
            yank = f"{PROVIDERS}/{provider}/{version}/yank"
            assert (await client.put(yank, json={"reason": "Bad."}, headers=caller.headers)).status_code == 200
        found = await get(client, caller, f"/v1/providers/{provider}/0.2.0")
        assert (found["yank"]["reason"], found["versions"]) == ("Bad.", [])
        answer = await client.get(f"/v1/providers/{provider}", headers=caller.headers)
        assert (answer.status_code, answer.json()) == (
            404,
            {
                "errors": [
                    "no version of this provider can be installed: each is yanked, or nothing vouches for it"
                ]
            },
        )

    @pytest.mark.parametrize("path", ["nobody", "{}x", "{}/9.9.9", "{}/nonsense"])
    async def test_that_are_not_there_are_not_found(
        self, client: httpx2.AsyncClient, caller: Caller, provider: str, path: str
    ) -> None:
        answer = await client.get(f"/v1/providers/{path.format(provider)}", headers=caller.headers)
        assert answer.status_code == 404
        assert list(answer.json()) == ["errors"]
