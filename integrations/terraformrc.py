"""The CLI configuration of terraform and tofu: where the registry answers, and by which key.

People get it from `groundwork terraformrc`, and runners write the same for the CLIs they run.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urljoin

from integrations.engines.values import as_expression

_TOKEN: Final = re.compile(r'^  token = "([^"]+)"$', re.MULTILINE)
_SERVICES: Final = {"modules.v1": "v1/modules/", "providers.v1": "v1/providers/"}


@dataclass(frozen=True, slots=True)
class RegistryHost:
    """The registry as configurations name it, where it is reached, and the key to show there."""

    hostname: str
    url: str
    token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class FilesystemMirror:
    """Providers in a folder, unpacked or as zips."""

    path: Path
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NetworkMirror:
    """Providers from a mirror, by the provider network mirror protocol."""

    url: str
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Direct:
    """Providers from their own registries."""

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()


ProviderSource = FilesystemMirror | NetworkMirror | Direct


def render_terraformrc(registry: RegistryHost | None = None, sources: Sequence[ProviderSource] = ()) -> str:
    """Write the configuration.

    Naming the services spares the CLI the discovery request, and works for a host name that no DNS server knows.
    Without sources the CLI takes providers as it does by itself: directly.
    """
    blocks: list[str] = []
    if registry is not None:
        services = {name: urljoin(registry.url.rstrip("/") + "/", path) for name, path in _SERVICES.items()}
        blocks.append(_block("host", registry.hostname, services=as_expression(dict(services))))
        if registry.token is not None:
            blocks.append(_block("credentials", registry.hostname, token=as_expression(registry.token)))
    if sources:
        inner = "".join(f"  {line}\n" for source in sources for line in _source(source))
        blocks.append(f"provider_installation {{\n{inner}}}\n")
    return "\n".join(blocks)


def tokens_in(configuration: str) -> list[str]:
    """Find the keys in a configuration that was written here."""
    return _TOKEN.findall(configuration)


def _block(kind: str, label: str, **attributes: str) -> str:
    lines = "".join(f"  {name} = {value}\n" for name, value in attributes.items())
    return f"{kind} {as_expression(label)} {{\n{lines}}}\n"


def _source(source: ProviderSource) -> Iterator[str]:
    match source:
        case FilesystemMirror(path=path):
            yield "filesystem_mirror {"
            yield f"  path = {as_expression(str(path))}"
        case NetworkMirror(url=url):
            yield "network_mirror {"
            yield f"  url = {as_expression(url)}"
        case Direct():
            yield "direct {"
    for name, patterns in (("include", source.include), ("exclude", source.exclude)):
        if patterns:
            yield f"  {name} = {as_expression(list(patterns))}"
    yield "}"
