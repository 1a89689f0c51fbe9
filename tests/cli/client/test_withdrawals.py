"""Versions deprecated and yanked from the command line."""

import json

import httpx2
import pytest

from tests.cli.client.commands import Commands
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


@pytest.fixture
async def things(client: httpx2.AsyncClient, caller: Caller) -> dict[str, str]:
    """Publish a module and a provider, each in one version; give their addresses by the noun."""
    namespace, signer = await claim_namespace(client, caller), Signer()
    await add_key(client, caller, namespace, signer)
    await publish(client, caller, MODULES, a_module(namespace))
    await publish(client, caller, PROVIDERS, a_provider(namespace, Release(signer)))
    return {"modules": f"{namespace}/network/aws", "providers": f"{namespace}/time"}


@pytest.mark.parametrize("noun", ["modules", "providers"])
class TestDeprecate:
    async def test_says_it_and_shows_it_and_takes_it_back(
        self, administrator: Commands, things: dict[str, str], noun: str
    ) -> None:
        words = (noun, "deprecate", things[noun], "0.1.0", "--message", "Old.", "--replacement", "ours/new/aws")
        said = await administrator(*words)
        assert (said.code, said.out) == (0, f"{things[noun]} 0.1.0 is deprecated: Old. (use ours/new/aws)\n")
        assert json.loads((await administrator(*words, "--json")).out)["message"] == "Old."
        assert (
            "deprecated       0.1.0 (Old. (use ours/new/aws))\n"
            in (await administrator(noun, "show", things[noun])).out
        )
        [line] = (await administrator(noun, "list")).lines
        assert line.split("\t")[-1] == "yes"
        back = await administrator(noun, "undeprecate", things[noun], "0.1.0")
        assert (back.code, back.out) == (0, f"{things[noun]} 0.1.0 is not deprecated\n")
        assert "deprecated" not in (await administrator(noun, "show", things[noun])).out

    async def test_needs_a_message(self, administrator: Commands, things: dict[str, str], noun: str) -> None:
        done = await administrator(noun, "deprecate", things[noun], "0.1.0")
        assert done.code == 2
        assert "--message is missing: What its users are told" in done.err


@pytest.mark.parametrize("noun", ["modules", "providers"])
class TestYank:
    async def test_says_it_and_shows_it_and_takes_it_back(
        self, administrator: Commands, things: dict[str, str], noun: str
    ) -> None:
        said = await administrator(noun, "yank", things[noun], "0.1.0", "--reason", "Broken.")
        assert said.code == 0
        assert said.out.startswith(f"{things[noun]} 0.1.0 is yanked: ")
        document = json.loads((await administrator(noun, "show", things[noun], "--json")).out)
        assert document["versions"] == []
        assert [each["yank"]["reason"] for each in document["withdrawn"]] == ["Broken."]
        shown = (await administrator(noun, "show", things[noun])).out
        assert "yanked           0.1.0 (Broken.)\n" in shown
        assert "use it by" not in shown
        assert (await administrator(noun, "unyank", things[noun], "0.1.0", "-q")).lines == ["0.1.0"]
        assert "use it by" in (await administrator(noun, "show", things[noun])).out

    async def test_says_what_taking_it_back_came_to(
        self, administrator: Commands, things: dict[str, str], noun: str
    ) -> None:
        back, of = (noun, "unyank", things[noun], "v0.1"), f"{things[noun]} v0.1"
        assert (await administrator(*back)).lines == [f"{of} was not yanked"]
        await administrator(noun, "yank", things[noun], "0.1.0", "--reason", "Broken.")
        assert (await administrator(*back)).lines == [f"{of} is not yanked any more"]
        scope = f"{noun.removesuffix('s')}:publish"
        [key] = (await administrator("keys", "create", "publishes", "--scope", scope)).lines
        administrator.environment(GROUNDWORK_KEY=key)
        assert (await administrator(*back)).lines == [f"{of} is not yanked"]

    async def test_of_what_is_not_there_says_so_in_one_line(
        self, administrator: Commands, things: dict[str, str], noun: str
    ) -> None:
        done = await administrator(noun, "yank", things[noun], "9.9.9", "--reason", "Broken.")
        assert (done.code, done.out) == (1, "")
        assert "there is no such version of this" in done.err
        assert (await administrator(noun, "yank", "nonsense", "9.9.9", "--reason", "Broken.")).code == 2


class TestUnyankProvider:
    async def test_says_of_a_release_that_is_refused_that_it_is_still_not_offered(
        self, administrator: Commands, things: dict[str, str]
    ) -> None:
        provider = things["providers"]
        await administrator("providers", "yank", provider, "0.1.0", "--reason", "Broken.")
        namespace = provider.partition("/")[0]
        [key] = json.loads((await administrator("gpg-keys", "list", "--namespace", namespace, "--json")).out)
        await administrator("gpg-keys", "remove", key["id"], "--namespace", namespace, "--yes")
        said = await administrator("providers", "unyank", provider, "0.1.0")
        refused = f"refused: the key {key['key_id']}, which signed it, was revoked"
        assert said.out.startswith(f"{provider} 0.1.0 is not yanked any more, but still {refused}")


class TestShowProvider:
    async def test_says_of_each_release_that_is_refused_why(
        self, administrator: Commands, things: dict[str, str]
    ) -> None:
        provider = things["providers"]
        namespace = provider.partition("/")[0]
        [key] = json.loads((await administrator("gpg-keys", "list", "--namespace", namespace, "--json")).out)
        await administrator("gpg-keys", "remove", key["id"], "--namespace", namespace, "--yes")
        lines = (await administrator("providers", "show", provider)).lines
        [refused] = [line for line in lines if line.startswith("refused 0.1.0")]
        assert f"the key {key['key_id']}, which signed it, was revoked" in refused
