"""What the registry is given in tests: namespaces, keys, modules, signed releases."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx2

from domain.ids import new_id
from domain.registry.names import Platform
from tests.factories.organizations import Caller
from tests.fixtures.archives import a_provider_zip, a_tar_gz, package_name
from tests.fixtures.signing import Signer

LINUX = Platform("linux", "amd64")
ONE_PACKAGE: Mapping[Platform, bytes] = {}
"""For a test that does not care which: it is made as the release needs it."""
MODULES = "/api/v1/modules"
PROVIDERS = "/api/v1/providers"
NAMESPACES = "/api/v1/namespaces"


@dataclass(frozen=True, slots=True)
class Form:
    """A multipart form: fields, then files under their own names."""

    fields: Mapping[str, str]
    files: list[tuple[str, bytes]]

    @property
    def request(self) -> dict[str, object]:
        """What an HTTP client's `post` takes beside the path."""
        return {"data": dict(self.fields), "files": [("file", (name, content)) for name, content in self.files]}


@dataclass(frozen=True, slots=True)
class Release:
    """A provider release, good unless a test bends it."""

    signer: Signer
    type: str = "time"
    version: str = "0.1.0"
    packages: Mapping[Platform, bytes] = field(default_factory=lambda: ONE_PACKAGE)
    protocols: tuple[str, ...] = ("5.0",)

    def __post_init__(self) -> None:
        """Pack one package of this version where the test names none."""
        if self.packages is ONE_PACKAGE:
            object.__setattr__(self, "packages", {LINUX: a_provider_zip(self.type, self.version)})

    @property
    def stem(self) -> str:
        """What the names of all files begin with."""
        return f"terraform-provider-{self.type}_{self.version}_"

    @property
    def manifest(self) -> bytes:
        """The manifest, as goreleaser copies it."""
        return json.dumps({"version": 1, "metadata": {"protocol_versions": self.protocols}}).encode()

    @property
    def checksums(self) -> bytes:
        """SHA256SUMS of the manifest and all packages."""
        named = {f"{self.stem}manifest.json": self.manifest}
        named |= {package_name(self.type, self.version, each): content for each, content in self.packages.items()}
        lines = (f"{hashlib.sha256(named[name]).hexdigest()}  {name}\n" for name in sorted(named))
        return "".join(lines).encode()

    def write(self, directory: Path) -> Path:
        """Write the `dist` folder that goreleaser leaves; give the folder."""
        directory.mkdir(parents=True)
        for name, content in self.files():
            (directory / name).write_bytes(content)
        return directory

    def files(self, *, checksums: bytes | None = None, signature: bytes | None = None) -> list[tuple[str, bytes]]:
        """Give the files in the order they are sent."""
        sums = self.checksums if checksums is None else checksums
        return [
            (f"{self.stem}SHA256SUMS", sums),
            (f"{self.stem}SHA256SUMS.sig", self.signer.sign(sums) if signature is None else signature),
            (f"{self.stem}manifest.json", self.manifest),
            *(
                (package_name(self.type, self.version, platform), content)
                for platform, content in self.packages.items()
            ),
        ]


def new_namespace() -> str:
    """Give a namespace that nobody has claimed and that reads like no other."""
    return f"ns-{new_id().hex.translate(str.maketrans('015', 'xyz'))}"


async def claim_namespace(client: httpx2.AsyncClient, caller: Caller) -> str:
    """Claim a namespace of the test's own."""
    name = new_namespace()
    answer = await client.post(NAMESPACES, json={"name": name}, headers=caller.headers)
    assert answer.status_code == 201, answer.text
    return name


async def add_key(client: httpx2.AsyncClient, caller: Caller, namespace: str, signer: Signer) -> dict[str, object]:
    """Add a signer's public key to a namespace."""
    path = f"{NAMESPACES}/{namespace}/gpg-keys"
    answer = await client.post(path, json={"ascii_armor": signer.public}, headers=caller.headers)
    assert answer.status_code in {200, 201}, answer.text
    added: dict[str, object] = answer.json()
    return added


def a_module(
    namespace: str,
    *,
    name: str = "network",
    system: str = "aws",
    version: str = "0.1.0",
    archive: bytes | None = None,
) -> Form:
    """Make the request that publishes a module."""
    fields = {"namespace": namespace, "name": name, "system": system, "version": version}
    return Form(fields, [("module.tar.gz", a_tar_gz() if archive is None else archive)])


def a_provider(namespace: str, release: Release, files: list[tuple[str, bytes]] | None = None) -> Form:
    """Make the request that publishes a provider."""
    fields = {"namespace": namespace, "type": release.type, "version": release.version}
    return Form(fields, release.files() if files is None else files)


async def publish(client: httpx2.AsyncClient, caller: Caller, path: str, form: Form) -> httpx2.Response:
    """Send a form."""
    return await client.post(path, headers=caller.headers, **form.request)  # type: ignore[arg-type]
