"""What the cases install: modules and providers as people publish them, each for a reason of its own."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Final

import httpx2

from domain.registry.names import Platform
from integrations.tools import find_tool
from tests.factories.organizations import Caller
from tests.factories.registry import (
    MODULES,
    NAMESPACES,
    PROVIDERS,
    Form,
    Release,
    a_module,
    a_provider,
    add_key,
    claim_namespace,
    publish,
)
from tests.fixtures.archives import a_streamed_zip, a_tar_gz, a_zip
from tests.fixtures.signing import Signer, a_gpg
from tests.fixtures.workspaces import HERE, Door

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
REAL: Final = "0.14.2"
"""The version of the one provider that is real."""


@dataclass(frozen=True, slots=True)
class Catalogue:
    """A namespace with everything in it, whose it is, and the key that signed the releases."""

    caller: Caller
    namespace: str
    real: Release
    clock: Release
    """Of the highest version that is no prerelease, with one package."""
    signer: Signer = field(repr=False)


async def publish_catalogue(client: httpx2.AsyncClient, caller: Caller, hosts: Mapping[Door, str]) -> Catalogue:
    """Publish everything; sources inside modules name the host, so there is a module for each door."""
    namespace, signer = await claim_namespace(client, caller), Signer()
    await add_key(client, caller, namespace, signer)
    real, clock = _real(signer), _a_release(signer, "clock", "1.10.0")
    forms = [(MODULES, form) for form in _modules(namespace, hosts)]
    forms += [(PROVIDERS, a_provider(namespace, each)) for each in (real, clock, *_releases(signer))]
    for path, form in forms:
        await _publish(client, caller, path, form)
    async for form in _with_keys_of_their_own(client, caller, namespace):
        await _publish(client, caller, PROVIDERS, form)
    return Catalogue(caller, namespace, real, clock, signer)


async def _publish(client: httpx2.AsyncClient, caller: Caller, path: str, form: Form) -> None:
    answer = await publish(client, caller, path, form)
    assert answer.status_code == 201, answer.text


def _modules(namespace: str, hosts: Mapping[Door, str]) -> list[Form]:
    archives = {
        "packed": a_tar_gz(MODULE),
        "with-folders": a_tar_gz(MODULE, folders=("modules", "modules/inner")),
        "zipped": a_zip(MODULE),
        "streamed": a_streamed_zip(MODULE),
        "of_one-name2": a_tar_gz(MODULE),
    }
    for door, host in hosts.items():
        source = f'module "deep" {{\n  source = "{host}/{namespace}/packed/aws"\n  version = "0.1.0"\n}}\n'
        archives[f"around-{door.replace(' ', '-')}"] = a_tar_gz({"main.tf": source})
    forms = [a_module(namespace, name=name, archive=archive) for name, archive in archives.items()]
    forms += [
        a_module(namespace, name="many", version=each) for each in ("0.2.0", "0.10.0", "0.1.0", "0.11.0-rc.1")
    ]
    return [*forms, a_module(namespace, name="packed", system="gcp", version="3.0.0")]


def _real(signer: Signer) -> Release:
    here = _a_package("time", REAL, content=find_tool("terraform-provider-time").read_bytes())
    windows = a_zip({f"terraform-provider-time_v{REAL}.exe": "MZ"})
    return Release(signer, version=REAL, packages={HERE: here, UNIVERSAL: here, ELSEWHERE: windows})


def _releases(signer: Signer) -> list[Release]:
    """Releases of providers that nobody starts, signed by the namespace's key."""
    clocks = [_a_release(signer, "clock", version) for version in ("1.0.0", "1.9.0", "2.0.0-beta.1")]
    return [
        *clocks,
        _a_release(signer, "of-two-protocols", protocols=("5.0", "6.0")),
        _a_release(signer, "of-tomorrow", protocols=("9.0",)),
        _a_release(signer, "elsewhere", platform=ELSEWHERE),
        Release(signer, "of-one-name2", "1.0.0", {HERE: _a_package("of-one-name2", "1.0.0", beside=True)}),
    ]


async def _with_keys_of_their_own(
    client: httpx2.AsyncClient, caller: Caller, namespace: str
) -> AsyncIterator[Form]:
    """Give releases by other keys: a second one, one that ends soon, and one that has ended since it signed."""
    second = Signer("\u6642\u8a08\u5c4b <clocks@example.com>")
    await add_key(client, caller, namespace, second)
    yield a_provider(namespace, _a_release(second, "by-another-key"))
    with a_gpg() as gpg:
        soon = await asyncio.to_thread(gpg.make_key, "ed25519", "20d")
        ended = await asyncio.to_thread(gpg.make_key, "ed25519", "2024-06-01", at="20240101T000000")
        for type, key, at in (
            ("by-a-key-that-ends", soon, None),
            ("by-a-key-that-ended", ended, "20240301T000000"),
        ):
            body = {"ascii_armor": gpg.public(key)}
            path = f"{NAMESPACES}/{namespace}/gpg-keys"
            added = await client.post(path, json=body, headers=caller.headers)
            assert added.status_code == 201, added.text
            release = _a_release(second, type)
            signature = gpg.sign(release.checksums, "-u", key, at=at)
            yield a_provider(namespace, release, release.files(signature=signature))


def _a_release(
    signer: Signer,
    type: str,
    version: str = "1.0.0",
    *,
    platform: Platform = HERE,
    protocols: tuple[str, ...] = ("5.0",),
) -> Release:
    return Release(signer, type, version, {platform: _a_package(type, version)}, protocols)


def _a_package(type: str, version: str, *, content: bytes | None = None, beside: bool = False) -> bytes:
    executable = hashlib.sha256(type.encode()).digest() if content is None else content
    files = {f"terraform-provider-{type}_v{version}": executable}
    more = {"LICENSE": b"Do what you like.", "README.md": b"A clock."} if beside else {}
    return a_zip({**more, **files}, mode=0o100755)
