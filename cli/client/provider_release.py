"""A provider release as goreleaser leaves it in its `dist` folder, found and checked before anything is sent."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cli.client.errors import FileUnusable
from domain.registry.checksums import parse_checksums
from domain.registry.errors import ManifestInvalid
from domain.registry.names import ProviderAddress
from domain.registry.providers import ReleaseNames, read_manifest

CHECKSUMS: Final = re.compile(r"terraform-provider-(?P<type>[^_/]+)_(?P<version>[^_/]+)_SHA256SUMS")
MANIFEST_IN_SOURCES: Final = "terraform-registry-manifest.json"
"""The manifest's name in a provider's sources; goreleaser renames it on the way and leaves no copy in `dist`."""


@dataclass(frozen=True, slots=True)
class ProviderRelease:
    """What is sent of a release: files with the names they have in it, in the order in which they are read."""

    address: ProviderAddress
    version: str
    files: tuple[tuple[str, Path], ...]

    @property
    def size(self) -> int:
        """All bytes of all files."""
        return sum(file.stat().st_size for _, file in self.files)


def read_release(dist: Path, namespace: str) -> ProviderRelease:
    """Find the release in a folder; it says itself which provider and version it is.

    Raises:
        FileUnusable: the folder holds no release, more than one, or not all of it; the sentence names the file.
        ChecksumsInvalid: SHA256SUMS is not what the command line tools read.
    """
    checksums, address, version = _checksums(dist, namespace)
    names = ReleaseNames(address, version)
    signature = dist / names.signature
    if not signature.is_file():
        raise FileUnusable(f"{signature} is missing: sign with `gpg --detach-sign {checksums.name}`")
    packages = [name for name in parse_checksums(checksums.read_bytes()) if names.platform(name) is not None]
    if not packages:
        raise FileUnusable(f"{checksums} names no package of {address.type} {version}")
    missing = [name for name in packages if not (dist / name).is_file()]
    if missing:
        raise FileUnusable(f"{dist} lacks {', '.join(missing)}: a release is published whole")
    left_out = sorted(
        {file.name for file in dist.iterdir() if names.platform(file.name) is not None} - set(packages)
    )
    if left_out:
        raise FileUnusable(
            f"{', '.join(left_out)} is not in {checksums.name}, and no platform can be added later: "
            "write it anew over all packages, and sign it"
        )
    manifest = _manifest(dist, names)
    files = [(names.checksums, checksums), (names.signature, signature), (names.manifest, manifest)]
    return ProviderRelease(address, version, (*files, *((name, dist / name) for name in packages)))


def _checksums(dist: Path, namespace: str) -> tuple[Path, ProviderAddress, str]:
    if not dist.is_dir():
        raise FileUnusable(f"{dist} is not a folder: name goreleaser's `dist`")
    found = [(file, match) for file in dist.iterdir() if (match := CHECKSUMS.fullmatch(file.name))]
    if not found:
        raise FileUnusable(f"{dist} holds no terraform-provider-..._SHA256SUMS: name goreleaser's `dist`")
    if len(found) > 1:
        raise FileUnusable(f"{dist} holds {len(found)} releases: publish from a folder with one of them")
    [(file, match)] = found
    return file, ProviderAddress(namespace, match["type"]).checked(), match["version"]


def _manifest(dist: Path, names: ReleaseNames) -> Path:
    for file in (dist / names.manifest, dist / MANIFEST_IN_SOURCES, dist.resolve().parent / MANIFEST_IN_SOURCES):
        if file.is_file():
            try:
                read_manifest(file.read_bytes())
            except ManifestInvalid as error:
                raise FileUnusable(f"{file} does not say which protocols it speaks: {error.detail}") from None
            return file
    raise FileUnusable(
        f"{dist} holds no {names.manifest}, nor is a {MANIFEST_IN_SOURCES} beside it: write "
        '{"version": 1, "metadata": {"protocol_versions": ["6.0"]}} there, or "5.0" where it speaks that, '
        "and write and sign SHA256SUMS anew with it"
    )
