"""Providers: the nouns, and how files of a release are named."""

import json
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from pydantic import BaseModel, Field, ValidationError

from domain.registry.errors import ManifestInvalid
from domain.registry.gpg_keys import GpgKey, SignatureEvidence
from domain.registry.hashes import zh
from domain.registry.names import Platform, ProviderAddress
from domain.registry.withdrawals import Deprecation, Refusal, Yank

LARGEST_MANIFEST: Final = 64 * 1024
_PROTOCOL: Final = re.compile(r"[1-9][0-9]?\.[0-9]{1,3}", re.ASCII)


class ProviderPackage(BaseModel, frozen=True, from_attributes=True):
    """A provider's zip for one platform."""

    os: str = Field(examples=["linux"])
    arch: str = Field(examples=["amd64"])
    filename: str
    sha256: str
    size: int
    h1: str = Field(description="Hash of what is in the zip, as lock files hold it.")

    @property
    def hashes(self) -> list[str]:
        """Give both hashes of lock files."""
        return [zh(self.sha256), self.h1]


class ProviderVersion(BaseModel, frozen=True, from_attributes=True):
    """One published release of a provider; its bytes never change."""

    id: UUID
    namespace: str
    type: str
    version: str
    protocols: list[str] = Field(description="Plugin protocols it speaks.", examples=[["5.0"]])
    platforms: list[ProviderPackage]
    checksums_sha256: str = Field(description="Of the SHA256SUMS file, byte for byte as it was signed.")
    signature_sha256: str
    evidence: SignatureEvidence
    published_at: datetime
    deprecation: Deprecation | None = None
    yank: Yank | None = None
    refusal: Refusal | None = None


@dataclass(frozen=True, slots=True)
class ListedRelease:
    """A release as far as the list of a provider's versions tells of it.

    Hundreds are made for one answer, from what the registry holds already, so nothing is checked again.
    """

    version: str
    protocols: tuple[str, ...]
    platforms: tuple[str, ...]
    """As in `linux_amd64`, in order."""
    deprecation: Deprecation | None
    yank: Yank | None
    refusal: Refusal | None


@dataclass(frozen=True, slots=True)
class VersionList:
    """What whoever chooses a version of a provider is told."""

    offered: tuple[ListedRelease, ...]
    """Those that are neither yanked nor refused, the highest version first."""
    warnings: tuple[str, ...]
    """What is wrong with some, and with the key of the highest one."""


class Provider(BaseModel, frozen=True, from_attributes=True):
    """A provider as lists show it."""

    id: UUID
    namespace: str
    type: str
    latest_version: str | None = Field(
        description="The highest release that can be installed, or the highest pre-release where none is; "
        "null where no version can be."
    )
    deprecated: bool = Field(description="Whether its latest version is.")
    created_at: datetime


class SignedRelease(BaseModel, frozen=True):
    """A release with the key that vouches for it."""

    release: ProviderVersion
    key: GpgKey


class _Metadata(BaseModel):
    protocol_versions: list[str] = Field(min_length=1, max_length=10)


class _Manifest(BaseModel):
    version: int
    metadata: _Metadata


class ReleaseNames:
    """What the files of a release are called."""

    def __init__(self, address: ProviderAddress, version: str) -> None:
        """Take a checked address and version."""
        self.address, self.version = address, version
        self._stem = f"terraform-provider-{address.type}_{version}_"
        self.checksums = f"{self._stem}SHA256SUMS"
        self.signature = f"{self._stem}SHA256SUMS.sig"
        self.manifest = f"{self._stem}manifest.json"

    def package(self, platform: Platform) -> str:
        """Name the zip of a platform."""
        return f"{self._stem}{platform}.zip"

    def platform(self, filename: str) -> Platform | None:
        """Tell which platform a file is the package of; None if it is none.

        Raises:
            PlatformUnknown: it is named as a package, for a platform that is none.
        """
        if not (filename.startswith(self._stem) and filename.endswith(".zip")):
            return None
        os, _, arch = filename.removeprefix(self._stem).removesuffix(".zip").partition("_")
        return Platform(os, arch).checked()


def read_manifest(content: bytes) -> list[str]:
    """Give the plugin protocols that a release's manifest names.

    Raises:
        ManifestInvalid: not JSON of the known form, or a protocol that is no `MAJOR.MINOR`.
    """
    try:
        said = json.loads(content, object_pairs_hook=_each_key_once)
        manifest = _Manifest.model_validate(said, strict=True)
    except (ValidationError, ValueError, RecursionError):
        manifest = None
    if (
        manifest is None
        or manifest.version != 1
        or any(_PROTOCOL.fullmatch(protocol) is None for protocol in manifest.metadata.protocol_versions)
    ):
        raise ManifestInvalid('the manifest looks like {"version": 1, "metadata": {"protocol_versions": ["5.0"]}}')
    return manifest.metadata.protocol_versions


def _each_key_once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    # Of two values for one key, readers take the first or the last.
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key is there twice")
    return found
