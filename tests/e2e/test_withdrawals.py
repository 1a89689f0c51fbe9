"""What the real terraform and the real tofu make of versions that are deprecated or yanked."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

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
from tests.fixtures.archives import a_provider_zip
from tests.fixtures.https import HOSTNAME, HttpsServer
from tests.fixtures.signing import Signer
from tests.fixtures.workspaces import HERE, TOOLS, Workspace, make_workspace

pytestmark = pytest.mark.servers

VERSIONS: Final = ("1.0.0", "1.1.0")
CONFIGURATION: Final = f"""
    terraform {{{{
      required_providers {{{{
        time = {{{{
          source  = "{HOSTNAME}/{{0}}/time"
          version = "~> 1.0"
        }}}}
      }}}}
    }}}}
    module "network" {{{{
      source  = "{HOSTNAME}/{{0}}/network/aws"
      version = "~> 1.0"
    }}}}
"""


@dataclass(frozen=True, slots=True)
class Checkout:
    """A configuration that uses a module and a provider of two versions each, and who says what of them."""

    client: httpx2.AsyncClient
    caller: Caller
    namespace: str
    space: Workspace

    async def say(self, of: str, version: str, what: str, body: dict[str, str]) -> None:
        """Deprecate or yank a version."""
        path = MODULES if of == "network/aws" else PROVIDERS
        answer = await self.client.put(
            f"{path}/{self.namespace}/{of}/{version}/{what}", json=body, headers=self.caller.headers
        )
        assert answer.status_code == 200, answer.text

    async def init(self, *arguments: str) -> tuple[int, str]:
        """Install; give the exit code and all that was said."""
        return await self.space.run("init", "-input=false", *arguments)


@pytest.fixture(params=TOOLS)
async def checkout(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    client: httpx2.AsyncClient,
    caller: Caller,
    https: HttpsServer,
) -> Checkout:
    namespace, signer = await claim_namespace(client, caller), Signer()
    await add_key(client, caller, namespace, signer)
    for version in VERSIONS:
        release = Release(signer, version=version, packages={HERE: a_provider_zip(version=version)})
        for path, form in (
            (MODULES, a_module(namespace, version=version)),
            (PROVIDERS, a_provider(namespace, release)),
        ):
            answer = await publish(client, caller, path, form)
            assert answer.status_code == 201, answer.text
    configuration = CONFIGURATION.format(namespace)
    space = make_workspace(tmp_path, request.param, https, configuration, key=caller.key)
    return Checkout(client, caller, namespace, space)


class TestDeprecated:
    async def test_providers_are_installed_and_their_users_told(self, checkout: Checkout) -> None:
        words = {"message": "It forgets leap seconds.", "replacement": "1.0.0"}
        await checkout.say("time", "1.1.0", "deprecation", words)
        status, said = await checkout.init()
        assert status == 0, said
        assert "1.1.0 is deprecated: It forgets leap seconds. (use 1.0.0)" in said


class TestYanked:
    async def test_versions_are_not_chosen(self, checkout: Checkout) -> None:
        for of in ("network/aws", "time"):
            await checkout.say(of, "1.1.0", "yank", {"reason": "It stops the clock."})
        status, said = await checkout.init()
        assert status == 0, said
        assert "1.1.0 is yanked, so no longer offered: It stops the clock." in said
        assert '"1.0.0"' in checkout.space.lock_file
        assert '"Version":"1.0.0"' in (checkout.space.folder / ".terraform/modules/modules.json").read_text()

    async def test_providers_that_a_lock_file_names_are_refused_with_the_reason_until_it_is_upgraded(
        self, checkout: Checkout
    ) -> None:
        assert (await checkout.init())[0] == 0
        assert '"1.1.0"' in checkout.space.lock_file
        await checkout.say("time", "1.1.0", "yank", {"reason": "It stops the clock."})
        checkout.space.forget()
        status, said = await checkout.init()
        assert status == 1, said
        assert "1.1.0 is yanked, so no longer offered: It stops the clock." in said
        status, said = await checkout.init("-upgrade")
        assert status == 0, said
        assert '"1.0.0"' in checkout.space.lock_file
