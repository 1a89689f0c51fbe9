"""The real terraform and the real tofu install what was published, over TLS."""

import asyncio
import os
import platform
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx2
import pytest

from domain.ids import new_id
from domain.registry.names import Platform
from integrations.terraformrc import RegistryHost, render_terraformrc
from integrations.tools import find_tool
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
from tests.fixtures.archives import a_provider_zip, a_tar_gz, a_zip
from tests.fixtures.https import HOSTNAME, HttpsServer
from tests.fixtures.signing import Signer

pytestmark = pytest.mark.servers

HERE: Final = Platform(platform.system().lower(), {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()])
ELSEWHERE: Final = Platform("windows", "arm64")
# tofu panics where an answer gives one hash to two platforms, as a universal binary would have it.
UNIVERSAL: Final = Platform("freebsd", HERE.arch)
MODULE: Final = {
    "main.tf": """
        module "inner" {
          source = "./modules/inner"
        }
        output "name" {
          value = module.inner.name
        }
    """,
    "modules/inner/main.tf": 'output "name" {\n  value = "inner"\n}\n',
}


@dataclass(frozen=True, slots=True)
class Published:
    """What the tests install."""

    caller: Caller
    namespace: str
    release: Release


@pytest.fixture(scope="module")
async def published(client: httpx2.AsyncClient, make_caller: Callable[[], Awaitable[Caller]]) -> Published:
    """Publish two modules and the provider for this machine and another."""
    caller = await make_caller()
    namespace, signer = await claim_namespace(client, caller), Signer()
    await add_key(client, caller, namespace, signer)
    binary = find_tool("terraform-provider-time").read_bytes()
    here = a_provider_zip(version="0.14.2", content=binary)
    packages = {HERE: here, UNIVERSAL: here, ELSEWHERE: a_windows_zip()}
    release = Release(signer, version="0.14.2", packages=packages)
    for path, form in (
        (MODULES, a_module(namespace, name="packed", archive=a_tar_gz(MODULE))),
        (MODULES, a_module(namespace, name="zipped", archive=a_zip(MODULE))),
        (PROVIDERS, a_provider(namespace, release)),
    ):
        answer = await publish(client, caller, path, form)
        assert answer.status_code == 201, answer.text
    return Published(caller, namespace, release)


def a_windows_zip() -> bytes:
    return a_zip({"terraform-provider-time_v0.14.2.exe": "MZ"})


@dataclass(frozen=True, slots=True)
class Workspace:
    """A folder with a configuration that uses everything published, and a tool to run in it."""

    folder: Path
    tool: Path
    environment: dict[str, str]

    async def run(self, *arguments: str) -> tuple[int, str]:
        """Run the tool; give its exit code and all it said."""
        process = await asyncio.create_subprocess_exec(
            self.tool,
            *arguments,
            cwd=self.folder,
            env=self.environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await process.communicate()
        return process.returncode or 0, said.decode()

    @property
    def lock_file(self) -> str:
        """The lock file that the tool wrote."""
        return (self.folder / ".terraform.lock.hcl").read_text()

    def forget(self) -> None:
        """Throw away what was installed, and keep the lock file, as a fresh checkout does."""
        (self.folder / ".terraform").rename(self.folder / f"installed-{new_id()}")


def configuration(host: str, namespace: str) -> str:
    return f"""
        terraform {{
          required_providers {{
            time = {{
              source  = "{host}/{namespace}/time"
              version = "~> 0.14.0"
            }}
          }}
        }}
        module "packed" {{
          source  = "{host}/{namespace}/packed/aws"
          version = "0.1.0"
        }}
        module "zipped" {{
          source  = "{host}/{namespace}/zipped/aws//modules/inner"
          version = "~> 0.1"
        }}
        resource "time_static" "now" {{}}
        output "name" {{
          value = module.packed.name
        }}
    """


def workspace(
    folder: Path, tool: str, https: HttpsServer, published: Published, *, way: str, key: str
) -> Workspace:
    """Make a workspace that reaches the registry one way or the other."""
    if way == "host block":
        host = HOSTNAME
        terraformrc = render_terraformrc(RegistryHost(host, https.url, key))
    else:
        host = f"127.0.0.1:{https.port}"
        terraformrc = f'credentials "{host}" {{\n  token = "{key}"\n}}\n'
    (folder / "terraformrc").write_text(terraformrc)
    (folder / "main.tf").write_text(configuration(host, published.namespace))
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "TF_CLI_CONFIG_FILE": str(folder / "terraformrc"),
        "SSL_CERT_FILE": str(https.ca),
        "CHECKPOINT_DISABLE": "1",
        "NO_COLOR": "1",
    }
    return Workspace(folder, find_tool(tool), environment)


@pytest.mark.parametrize("tool", ["terraform", "tofu"])
class TestInit:
    @pytest.mark.parametrize("way", ["host block", "discovery"])
    async def test_installs_modules_and_a_signed_provider_and_holds_them_to_the_lock_file(
        self, tmp_path: Path, https: HttpsServer, published: Published, tool: str, way: str
    ) -> None:
        space = workspace(tmp_path, tool, https, published, way=way, key=published.caller.key)
        status, said = await space.run("init", "-input=false")
        assert status == 0, said
        assert re.search(r"(?i)signed", said), said
        assert (await space.run("validate"))[0] == 0
        space.forget()
        status, said = await space.run("init", "-input=false", "-lockfile=readonly")
        assert status == 0, said

    async def test_locks_the_hashes_that_the_registry_counted(
        self,
        tmp_path: Path,
        client: httpx2.AsyncClient,
        https: HttpsServer,
        published: Published,
        tool: str,
    ) -> None:
        space = workspace(tmp_path, tool, https, published, way="host block", key=published.caller.key)
        assert (await space.run("init", "-input=false"))[0] == 0
        path = f"/v1/providers/{published.namespace}/time/0.14.2/download/{HERE.os}/{HERE.arch}"
        packages = (await client.get(path, headers=published.caller.headers)).json()["packages"]
        locked = set(re.findall(r'"((?:h1|zh):[^"]+)"', space.lock_file))
        # The tool counts h1 from the files it unpacked; the registry counted it from the zip.
        assert set(packages[str(HERE)]["hashes"]) <= locked
        assert packages[str(ELSEWHERE)]["hashes"][0] in locked, "one init locks the zips of all platforms"
        status, said = await space.run("providers", "lock", f"-platform={HERE}", f"-platform={ELSEWHERE}")
        assert status == 0, said
        assert set(packages[str(ELSEWHERE)]["hashes"]) <= set(re.findall(r'"([^"]+)"', space.lock_file))

    async def test_runs_what_it_installed(
        self, tmp_path: Path, https: HttpsServer, published: Published, tool: str
    ) -> None:
        space = workspace(tmp_path, tool, https, published, way="host block", key=published.caller.key)
        assert (await space.run("init", "-input=false"))[0] == 0
        status, said = await space.run("apply", "-auto-approve", "-input=false")
        assert status == 0, said
        assert 'name = "inner"' in said

    @pytest.mark.parametrize("whose", ["nobody", "a stranger"])
    async def test_installs_nothing_for_another_key(
        self,
        tmp_path: Path,
        https: HttpsServer,
        published: Published,
        stranger: Caller,
        tool: str,
        whose: str,
    ) -> None:
        key = "gwk_nonsense" if whose == "nobody" else stranger.key
        space = workspace(tmp_path, tool, https, published, way="host block", key=key)
        status, said = await space.run("init", "-input=false")
        assert status == 1
        assert ("401" if whose == "nobody" else "not found") in said
        assert not (space.folder / ".terraform.lock.hcl").exists()
