"""Published modules and providers from the command line."""

import json
import re
from typing import Final
from uuid import UUID

import httpx2
import pytest

from domain.registry.documents import VersionReference
from services.all import Services
from tests.cli.client.commands import Commands
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
from tests.fixtures.archives import a_tar_gz
from tests.fixtures.signing import Signer

pytestmark = pytest.mark.servers

DECLARING: Final = {
    "main.tf": """
        variable "name" {
          default     = "a"
          description = "What it is\\n called."
        }
        variable "secret" {
          sensitive = true
          type      = string
        }
        variable "size" {
          type = number
        }
        output "id" {
          value     = 1
          sensitive = true
        }
        terraform {
          required_providers {
            acme = {
              source  = "platform/acme"
              version = "~> 1.0"
            }
          }
        }
        data "acme_zone" "one" {}
        module "inner" { source = "./modules/inner" }
    """,
    "modules/inner/main.tf": 'variable "zone" {}',
    "examples/broken/main.tf": "}",
}
DECLARED: Final = """\
Inputs of 0.9.0
  secret (string, required, sensitive)
  size (number, required)
  name (any, default "a"): What it is called.

Outputs
  id (sensitive)

Providers
  platform/acme ~> 1.0

Resources
  data.acme_zone.one

Calls
  inner: ./modules/inner

Submodules
  modules/inner (takes zone)

Examples
  examples/broken: can't be read: Error: Argument or block definition required"""


@pytest.fixture
async def namespace(client: httpx2.AsyncClient, caller: Caller) -> str:
    return await claim_namespace(client, caller)


@pytest.fixture
async def module(client: httpx2.AsyncClient, caller: Caller, namespace: str) -> str:
    for version in ("1.0.0", "1.10.0", "1.9.0"):
        await publish(client, caller, MODULES, a_module(namespace, version=version))
    return f"{namespace}/network/aws"


@pytest.fixture
async def provider(client: httpx2.AsyncClient, caller: Caller, namespace: str) -> str:
    signer = Signer()
    await add_key(client, caller, namespace, signer)
    await publish(client, caller, PROVIDERS, a_provider(namespace, Release(signer)))
    return f"{namespace}/time"


class TestListModules:
    async def test_names_them_as_other_commands_take_them(self, administrator: Commands, module: str) -> None:
        [line] = (await administrator("modules", "list")).lines
        assert line.split("\t")[:2] == [module, "1.10.0"]
        assert (await administrator("modules", "list", "--quiet")).lines == [module]

    async def test_finds_those_that_have_every_word(self, administrator: Commands, module: str) -> None:
        assert (await administrator("modules", "list", "netw", "aws", "-q")).lines == [module]
        none = await administrator("modules", "list", "network", "azure")
        assert (none.code, none.out) == (0, "")
        assert "`groundwork modules list` shows all" in none.err

    async def test_takes_filters_and_goes_by_search_as_well(
        self, administrator: Commands, module: str, namespace: str
    ) -> None:
        for words, found in (
            (("--namespace", namespace, "--system", "aws"), [module]),
            (("--system", "gcp"), []),
            (("--deprecated",), []),
            (("--current",), [module]),
        ):
            assert (await administrator("modules", "search", "netw", *words, "-q")).lines == found

    async def test_says_what_to_do_when_there_are_none(self, administrator: Commands) -> None:
        assert "`groundwork publish module ./folder" in (await administrator("modules", "list")).err

    async def test_stops_at_the_limit(
        self, administrator: Commands, client: httpx2.AsyncClient, caller: Caller, namespace: str
    ) -> None:
        for name in ("one", "two", "three"):
            await publish(client, caller, MODULES, a_module(namespace, name=name))
        listed = (await administrator("modules", "list", "--limit", "2", "-q")).lines
        assert listed == [f"{namespace}/one/aws", f"{namespace}/two/aws"]


class TestShowModule:
    async def test_tells_its_versions_and_how_to_use_it(self, administrator: Commands, module: str) -> None:
        shown = (await administrator("modules", "show", module)).out
        assert "versions         1.10.0, 1.9.0, 1.0.0\n" in shown
        assert f'/{module}", version = "1.10.0"' in shown
        assert f"groundwork run submit {module} 1.10.0 --name DEPLOYMENT" in shown

    async def test_tells_why_what_it_declares_is_not_known(
        self,
        administrator: Commands,
        client: httpx2.AsyncClient,
        caller: Caller,
        services: Services,
        namespace: str,
        module: str,
    ) -> None:
        form = a_module(namespace, version="2.0.0", archive=a_tar_gz({"main.tf": "}"}))
        version_id = UUID((await publish(client, caller, MODULES, form)).json()["id"])
        reference = VersionReference(organization_id=caller.organization.id, module_version_id=version_id)
        await services.registry.documents.read(reference)
        shown = (await administrator("modules", "show", module)).out
        assert re.search(r"^not described +Error: .* main\.tf line 1", shown, re.MULTILINE), shown

    async def test_of_a_version_tells_what_it_declares(
        self,
        administrator: Commands,
        client: httpx2.AsyncClient,
        caller: Caller,
        services: Services,
        namespace: str,
        module: str,
    ) -> None:
        form = a_module(namespace, version="0.9.0", archive=a_tar_gz(DECLARING))
        version_id = UUID((await publish(client, caller, MODULES, form)).json()["id"])
        pending = await administrator("modules", "show", module, "0.9.0")
        assert re.search(r"^not described +its code is not read yet", pending.out, re.MULTILINE), pending.out
        reference = VersionReference(organization_id=caller.organization.id, module_version_id=version_id)
        await services.registry.documents.read(reference)
        shown = (await administrator("modules", "show", module, "v0.9")).out
        assert f"{module} 0.9.0 --name DEPLOYMENT --secret-input secret --input size=VALUE\n" in shown
        assert shown.partition("\n\n")[2].startswith(DECLARED)
        document = json.loads((await administrator("modules", "show", module, "0.9.0", "--json")).out)
        assert (document["version"], document["documents"]["state"]) == ("0.9.0", "ready")

    async def test_of_a_version_that_is_not_there_names_those_that_are(
        self, administrator: Commands, module: str
    ) -> None:
        done = await administrator("modules", "show", module, "3.0.0")
        assert (done.code, done.out) == (1, "")
        assert done.err == f"groundwork: {module} has no version 3.0.0; it has 1.10.0, 1.9.0, 1.0.0\n"

    async def test_gives_versions_when_quiet_and_a_document_as_json(
        self, administrator: Commands, module: str
    ) -> None:
        assert (await administrator("modules", "show", module, "-q")).lines == ["1.10.0", "1.9.0", "1.0.0"]
        document = json.loads((await administrator("modules", "show", module, "--json")).out)
        assert document["versions"] == ["1.10.0", "1.9.0", "1.0.0"]
        assert document["source"].endswith(f"/{module}")

    async def test_of_what_is_not_there_is_one_line(self, administrator: Commands, module: str) -> None:
        done = await administrator("modules", "show", module.replace("network", "netwrok"))
        assert (done.code, done.out) == (1, "")
        assert f" (did you mean {module}?): `groundwork modules list` shows those that are" in done.err
        assert len(done.err.splitlines()) == 1

    @pytest.mark.parametrize("word", ["network", "a/b", "a/b/c/d", "a//c", "registry.example.com/a/b/c"])
    async def test_takes_an_address_in_three_parts(self, administrator: Commands, word: str) -> None:
        done = await administrator("modules", "show", word)
        assert done.code == 2
        assert "a module is named NAMESPACE/NAME/SYSTEM" in done.err


class TestProviders:
    async def test_are_listed_and_shown_with_their_platforms(self, administrator: Commands, provider: str) -> None:
        [line] = (await administrator("providers", "list")).lines
        assert line.split("\t")[:2] == [provider, "0.1.0"]
        shown = (await administrator("providers", "show", provider)).out
        assert "versions         0.1.0 (linux_amd64)\n" in shown
        assert f'/{provider}", version = "0.1.0"' in shown
        assert (await administrator("providers", "show", provider, "-q")).lines == ["0.1.0"]
        document = json.loads((await administrator("providers", "show", provider, "--json")).out)
        assert document["versions"][0]["platforms"] == [{"os": "linux", "arch": "amd64"}]

    async def test_are_shown_with_who_signed_a_release_and_its_last_check(
        self, administrator: Commands, provider: str
    ) -> None:
        shown = (await administrator("providers", "show", provider, "0.1.0")).out
        assert f'/{provider}", version = "0.1.0"\n\nRelease 0.1.0\n  protocols  5.0\n' in shown
        for line in (
            r"platforms  linux_amd64 \(.*bytes\)",
            r"signed by  [0-9a-f]{40} \(",
            r"verified   20.* by gpg ",
        ):
            assert re.search(f"^  {line}", shown, re.MULTILINE), shown
        document = json.loads((await administrator("providers", "show", provider, "0.1.0", "--json")).out)
        assert (document["version"], len(document["verifications"])) == ("0.1.0", 1)
        done = await administrator("providers", "show", provider, "3.0.0")
        assert done.err == f"groundwork: {provider} has no version 3.0.0; it has 0.1.0\n"

    async def test_are_shown_to_who_may_read_the_registry_and_no_more(
        self, administrator: Commands, provider: str
    ) -> None:
        [key] = (await administrator("keys", "create", "reads", "--scope", "registry:read")).lines
        administrator.environment(GROUNDWORK_KEY=key)
        done = await administrator("providers", "show", provider)
        assert (done.code, done.err) == (0, "")
        assert re.search(r"^  signed by  [0-9a-f]{40}$", done.out, re.MULTILINE), done.out

    async def test_that_nothing_vouches_for_any_more_are_not_for_use(
        self, administrator: Commands, client: httpx2.AsyncClient, caller: Caller, provider: str
    ) -> None:
        keys = f"{NAMESPACES}/{provider.partition('/')[0]}/gpg-keys"
        [key] = (await client.get(keys, headers=caller.headers)).json()["items"]
        await client.delete(f"{keys}/{key['id']}", headers=caller.headers)
        shown = (await administrator("providers", "show", provider)).out
        assert "none: each is yanked or refused" in shown
        assert "use it by" not in shown
        one = (await administrator("providers", "show", provider, "0.1.0")).out
        assert "it can't be installed" in one
        assert "out of use)" in one

    async def test_are_found_by_beginnings_of_words(self, administrator: Commands, provider: str) -> None:
        namespace = provider.partition("/")[0]
        for words, found in (
            (("tim",), [provider]),
            (("time", namespace), [provider]),
            ((namespace.partition("-")[2],), [provider]),
            (("ime",), []),
            (("time", "clock"), []),
            (("%",), []),
        ):
            assert (await administrator("providers", "search", *words, "-q")).lines == found
        assert "`groundwork providers list` shows all" in (await administrator("providers", "search", "ime")).err

    async def test_say_what_to_do_when_there_are_none(self, administrator: Commands) -> None:
        assert "`groundwork publish provider ./dist" in (await administrator("providers", "list")).err

    async def test_that_are_not_there_are_one_line(self, administrator: Commands) -> None:
        done = await administrator("providers", "show", "any/thing")
        assert done.code == 1
        assert done.err == (
            "groundwork: there is no provider any/thing: `groundwork providers list` shows those that are\n"
        )
        assert (await administrator("providers", "show", "thing")).code == 2
