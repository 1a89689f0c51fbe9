"""The pages about publishing, typed as they stand: on somebody's machine, and as pipelines would."""

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx2
import pytest
import yaml

from tests.factories.organizations import Caller
from tests.factories.registry import new_namespace
from tests.fixtures.https import HttpsServer
from tests.fixtures.signing import Gpg, a_gpg

pytestmark = pytest.mark.servers

BIN: Final = Path(sys.executable).parent
FENCE: Final = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
NAMED_IN_THE_PAGES: Final = "platform"
MANIFEST: Final = '{"version": 1, "metadata": {"protocol_versions": ["5.0"]}}'
PIPELINES: Final = {
    "on": ("GITHUB_REF_NAME", "1.3.0"),
    "publish": ("CI_COMMIT_TAG", "1.4.0"),
    "pool": ("BUILD_SOURCEBRANCHNAME", "1.5.0"),
}
"""By a key that stands in each one's file: where it gives the tag, and which is pushed."""

LACKING: Final = (
    ("module.sh platform network aws v1.0.0", None, "called as: publish-module.sh NAMESPACE NAME SYSTEM"),
    ("module.sh platform network aws v1.0.0 network", "GROUNDWORK_URL", "set this variable of the pipeline"),
    ("module.sh platform network aws v1.0.0 network", "GROUNDWORK_KEY", "the secret of the pipeline"),
    ("provider.sh platform acme", None, "called as: publish-provider.sh NAMESPACE TYPE VERSION"),
    ("provider.sh platform acme v1.0.0", None, "acme_1.0.0_SHA256SUMS is missing: build and sign the release"),
)
"""What is typed, the variable that is not set, and what is said of it."""

RELEASE_OF_ANYTHING: Final = """
git init -q && git add network && git -c user.name=a -c user.email=a@example.com commit -qm 'Begin'
mkdir dist
touch dist/terraform-provider-acme_1.0.0_linux_amd64.zip dist/terraform-provider-acme_1.0.0_SHA256SUMS{,.sig}
"""


@dataclass(slots=True)
class Listener:
    """Somebody who speaks no TLS, and keeps what is sent."""

    address: str = ""
    heard: bytes = b""

    async def hear(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take what comes first of a connection, and end it."""
        self.heard += await reader.read(2**16)
        writer.close()


@dataclass(frozen=True, slots=True)
class Desk:
    """A folder with a module and a provider in it, and a shell."""

    folder: Path
    gpg: Gpg
    environment: dict[str, str]
    namespace: str

    def blocks(self, page: Path, language: str = "") -> list[str]:
        """Give what a page shows to be typed, with a namespace of the test's own."""
        found = [code for kind, code in FENCE.findall(page.read_text()) if kind == language]
        assert found
        return [code.replace(NAMED_IN_THE_PAGES, self.namespace) for code in found]

    async def type(self, script: str, **variables: str) -> str:
        """Have it done; give what was printed."""
        process = await asyncio.create_subprocess_exec(
            *("bash", "-c", f"set -e\n{script}"),
            cwd=self.folder,
            env=self.environment | variables,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        said, complained = await process.communicate()
        assert process.returncode == 0, complained.decode() + said.decode()
        return said.decode()


@pytest.fixture
async def desk(tmp_path: Path, https: HttpsServer, caller: Caller) -> AsyncIterator[Desk]:
    (tmp_path / "network").mkdir()
    (tmp_path / "network" / "main.tf").write_text('output "name" {\n  value = "network"\n}\n')
    (tmp_path / "manifest.json").write_text(MANIFEST)
    (tmp_path / "terraform-registry-manifest.json").write_text(MANIFEST)
    provider = tmp_path / "terraform-provider-acme_v1.0.0"
    provider.write_text("#!/bin/sh\n")
    provider.chmod(0o755)
    with a_gpg() as gpg:
        gpg.run("--yes", "--quick-gen-key", "Releases <releases@example.com>", "ed25519", "sign")
        environment = {
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "HOME": str(tmp_path),
            "LANG": "C.UTF-8",
            "GNUPGHOME": str(gpg.home),
            "GROUNDWORK_URL": https.url,
            "GROUNDWORK_KEY": caller.key,
            "GROUNDWORK_CA": str(https.ca),
            "CURL_CA_BUNDLE": str(https.ca),
        }
        yield Desk(tmp_path, gpg, environment, new_namespace())


@pytest.fixture
async def listener() -> AsyncIterator[Listener]:
    listener = Listener()
    async with await asyncio.start_server(listener.hear, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()
        listener.address = f"{host}:{port}"
        yield listener


@pytest.fixture
def how_to(repository: Path) -> Path:
    return repository / "docs" / "how-to"


class TestPublishing:
    async def test_from_a_machine_ends_with_both_installable(
        self, desk: Desk, how_to: Path, client: httpx2.AsyncClient, caller: Caller
    ) -> None:
        await desk.type("".join(desk.blocks(how_to / "publish.md")))
        assert await published(client, caller, f"modules/{desk.namespace}/network/aws") == ["1.2.0"]
        assert await published(client, caller, f"providers/{desk.namespace}/acme") == ["1.0.0"]

    async def test_from_a_pipeline_ends_with_both_installable(
        self, desk: Desk, how_to: Path, client: httpx2.AsyncClient, caller: Caller
    ) -> None:
        page, machine = how_to / "publish-from-ci.md", "".join(desk.blocks(how_to / "publish.md"))
        await desk.type(machine[: machine.index("groundwork publish module")])
        await desk.type(machine[machine.index("gpg --armor") : machine.index("groundwork publish provider")])
        key = (await desk.type(desk.blocks(page)[0])).strip()
        (desk.folder / "ci").mkdir()
        for script in desk.blocks(page, "sh"):
            name = script.split()[1]
            assert f"`ci/{name}`" in page.read_text()
            (desk.folder / "ci" / name).write_text(script)
        await desk.type(
            "git init -q && git add network ci &&"
            " git -c user.name=a -c user.email=a@example.com commit -qm 'Make a network'"
        )
        shown = {
            key: command for code in desk.blocks(page, "yaml") for key, command in commands(yaml.safe_load(code))
        }
        assert set(shown) == set(PIPELINES)
        for pipeline, (variable, version) in PIPELINES.items():
            given = {variable: f"v{version}", "GROUNDWORK_KEY": key}
            for _ in range(2):  # a pipeline that is run again
                assert f'"version":"{version}"' in await desk.type(shown[pipeline], **given)
        [provider] = re.findall(r"`(sh ci/publish-provider\.sh .*?)`", page.read_text())
        provider = provider.replace(NAMED_IN_THE_PAGES, desk.namespace)
        await desk.type(provider, GITHUB_REF_NAME="v1.0.0", GROUNDWORK_KEY=key)
        versions = [version for _, version in PIPELINES.values()]
        assert await published(client, caller, f"modules/{desk.namespace}/network/aws") == versions
        assert await published(client, caller, f"providers/{desk.namespace}/acme") == ["1.0.0"]

    async def test_from_a_pipeline_that_is_refused_fails_with_the_sentence(self, desk: Desk, how_to: Path) -> None:
        [script, _] = desk.blocks(how_to / "publish-from-ci.md", "sh")
        (desk.folder / "publish-module.sh").write_text(script)
        await desk.type(
            "git init -q && git add network && git -c user.name=a -c user.email=a@b.c commit -qm 'Begin'"
        )
        slash = desk.environment["GROUNDWORK_URL"] + "/"
        said = await desk.type("! sh publish-module.sh nobody network aws v1.0.0 network", GROUNDWORK_URL=slash)
        assert '"code":"registry.namespace_not_found"' in said

    async def test_from_a_pipeline_that_lacks_something_says_what(self, desk: Desk, how_to: Path) -> None:
        for script in desk.blocks(how_to / "publish-from-ci.md", "sh"):
            (desk.folder / script.split()[1]).write_text(script)
        for typed, without, sentence in LACKING:
            said = await desk.type(f"! sh publish-{typed} 2>&1", **({without: ""} if without else {}))
            assert sentence in said, typed

    @pytest.mark.parametrize("scheme", ["", "http://"])
    async def test_from_a_pipeline_sends_no_key_in_the_clear(
        self, desk: Desk, how_to: Path, listener: Listener, scheme: str
    ) -> None:
        await desk.type(RELEASE_OF_ANYTHING)
        for script in desk.blocks(how_to / "publish-from-ci.md", "sh"):
            (desk.folder / script.split()[1]).write_text(script)
        for typed in ("module.sh platform network aws v1.0.0 network", "provider.sh platform acme v1.0.0"):
            await desk.type(f"! sh publish-{typed}", GROUNDWORK_URL=f"{scheme}{listener.address}")
        assert desk.environment["GROUNDWORK_KEY"].encode() not in listener.heard
        assert bool(listener.heard) is not bool(scheme), "without a scheme, TLS is spoken"


async def published(client: httpx2.AsyncClient, caller: Caller, path: str) -> list[str]:
    """Give the versions that can be installed, the highest last."""
    answer = await client.get(f"/v1/{path}", headers=caller.headers)
    assert answer.status_code == 200, answer.text
    versions: list[str] = answer.json()["versions"]
    return versions


def commands(pipeline: dict[Any, Any]) -> list[tuple[str, str]]:
    """Give the command of a pipeline's file that publishes a module, by a key that tells whose file it is."""
    # What this version of YAML reads as a truth is GitHub's word `on`.
    keys = {"on" if key is True else str(key) for key in pipeline} & set(PIPELINES)
    found = re.findall(r"(sh ci/publish-module\.sh [^\\]*?network)(?:$|')", str(list(texts(pipeline))))
    return [(key, command) for key in keys for command in found]


def texts(part: object) -> list[str]:
    """Give all texts in a document, however deep."""
    if isinstance(part, dict):
        return [text for inner in part.values() for text in texts(inner)]
    if isinstance(part, list):
        return [text for inner in part for text in texts(inner)]
    return [str(part)]
