"""A provider release as goreleaser leaves it in its `dist` folder, found and checked before anything is sent."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cli.client.errors import FileUnusable
from domain.registry.checksums import parse_checksums

SUMS: Final = re.compile(r"terraform-provider-(?P<type>[^_/]+)_(?P<version>[^_/]+)_SHA256SUMS")
MANIFEST_IN_SOURCES: Final = "terraform-registry-manifest.json"
"""The manifest's name in a provider's sources; goreleaser renames it on the way and leaves no copy in `dist`."""


@dataclass(frozen=True, slots=True)
class ProviderRelease:
    """What is sent of a release, in the order in which the registry reads it."""

    type: str
    version: str
    checksums: Path
    signature: Path
    manifest: Path
    packages: tuple[Path, ...]

    @property
    def manifest_name(self) -> str:
        """The manifest's name in the release, wherever the file was found."""
        return f"terraform-provider-{self.type}_{self.version}_manifest.json"

    @property
    def size(self) -> int:
        """All bytes of all files."""
        return sum(file.stat().st_size for file in (self.checksums, self.signature, self.manifest, *self.packages))


def read_release(dist: Path) -> ProviderRelease:
    """Find the release in a folder.

    Raises:
        FileUnusable: the folder holds no release, more than one, or not all of it; the sentence names the file.
        ChecksumsInvalid: SHA256SUMS is not what the command line tools read.
    """
    if not dist.is_dir():
        raise FileUnusable(f"{dist} is not a folder: name goreleaser's `dist`")
    found = {file: match for file in sorted(dist.iterdir()) if (match := SUMS.fullmatch(file.name))}
    if not found:
        raise FileUnusable(f"{dist} holds no terraform-provider-NAME_VERSION_SHA256SUMS: name goreleaser's `dist`")
    if len(found) > 1:
        raise FileUnusable(f"{dist} holds {len(found)} releases; publish from a folder with one of them")
    checksums, match = found.popitem()
    type_, version = match["type"], match["version"]
    signature = checksums.with_name(f"{checksums.name}.sig")
    if not signature.is_file():
        raise FileUnusable(
            f"{signature} is missing: sign with `gpg --detach-sign {checksums.name}` (goreleaser: `signs`)"
        )
    packages = tuple(
        checksums.with_name(name)
        for name in sorted(parse_checksums(checksums.read_bytes()))
        if name.endswith(".zip")
    )
    missing = [package.name for package in packages if not package.is_file()]
    if missing or not packages:
        what = f"lacks {', '.join(missing)}" if packages else "has no package (.zip) in its SHA256SUMS"
        raise FileUnusable(f"{dist} {what}: a release is published whole")
    manifest = _manifest(dist, f"terraform-provider-{type_}_{version}_manifest.json")
    return ProviderRelease(type_, version, checksums, signature, manifest, packages)


def _manifest(dist: Path, name: str) -> Path:
    for file in (dist / name, dist / MANIFEST_IN_SOURCES, dist.resolve().parent / MANIFEST_IN_SOURCES):
        if file.is_file():
            return file
    raise FileUnusable(
        f"{dist} holds no {name}, and {MANIFEST_IN_SOURCES} is not beside it: "
        "it says which plugin protocol the provider speaks"
    )
