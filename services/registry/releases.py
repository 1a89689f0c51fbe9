"""Takes the files of a provider release in, one after the other, and holds each to what came before it."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Final

from domain.errors import BlobTooLarge
from domain.registry.checksums import LARGEST as LARGEST_CHECKSUMS
from domain.registry.checksums import parse_checksums
from domain.registry.errors import (
    ChecksumMismatch,
    ReleaseIncomplete,
    UploadInvalid,
    UploadTooLarge,
    VersionExists,
)
from domain.registry.gpg_keys import PublicKey, SignatureEvidence
from domain.registry.names import ProviderAddress
from domain.registry.providers import (
    LARGEST_MANIFEST,
    ProviderPackage,
    ProviderVersion,
    ReleaseNames,
    read_manifest,
)
from integrations.archives.provider import check_provider
from integrations.signatures import LARGEST_SIGNATURE, SignatureVerifier
from services.registry.limits import RegistryLimits
from storage.blobs.store import BlobStore, Received, problem_of

OF_PACKAGES: Final = (
    "build it without debugging symbols, or have the installation's operator raise the setting "
    "registry.package_bytes"
)
ORDER: Final = "send SHA256SUMS, its signature, the manifest and then every zip that SHA256SUMS names"


@dataclass(frozen=True, slots=True)
class ReleaseFile:
    """A file of a release as it comes in."""

    name: str
    data: AsyncIterable[bytes]


@dataclass(frozen=True, slots=True)
class CheckedRelease:
    """A whole release whose every byte was checked; its files are there until the context ends."""

    checksums: Received
    signature: Received
    manifest: Received
    evidence: SignatureEvidence
    protocols: list[str]
    packages: list[ProviderPackage]
    files: list[Received]
    replaces: str | None = None
    """The published signature whose place this one's takes."""

    @property
    def sizes(self) -> dict[str, int]:
        """Give name and size of each blob that the release needs."""
        return {file.sha256: file.size for file in (self.checksums, self.signature, self.manifest, *self.files)}


class Releases:
    """Receives releases. Nothing of one is stored until its last file is good and `keep` is called."""

    def __init__(self, store: BlobStore, verifier: SignatureVerifier, limits: RegistryLimits) -> None:
        """Take what the checks need, made once at start-up."""
        self._store = store
        self._verifier = verifier
        self._limits = limits

    @asynccontextmanager
    async def receive(
        self,
        address: ProviderAddress,
        version: str,
        files: AsyncIterator[ReleaseFile],
        *,
        keys: Sequence[PublicKey],
        published: ProviderVersion | None,
    ) -> AsyncIterator[CheckedRelease]:
        """Take in a release whose names are checked; a zip comes only if the signature before it is good.

        Raises:
            VersionExists: another SHA256SUMS was published as this version.
            UploadInvalid, UploadTooLarge, ChecksumsInvalid, SignatureRefused, ManifestInvalid, ChecksumMismatch,
            ReleaseIncomplete, NotAProvider, and what integrations.archives refuses.
        """
        names = ReleaseNames(address, version)
        async with AsyncExitStack() as stack:
            checksums = await self._next(stack, files, names.checksums, limit=LARGEST_CHECKSUMS)
            content = await asyncio.to_thread(checksums.path.read_bytes)
            hashes = parse_checksums(content)
            if published is not None and published.checksums_sha256 != checksums.sha256:
                raise VersionExists(
                    "this version was published with other files; publish the next version", version=version
                )
            signature = await self._next(stack, files, names.signature, limit=LARGEST_SIGNATURE)
            signed = await asyncio.to_thread(signature.path.read_bytes)
            evidence = await asyncio.to_thread(self._verifier.verify, content, signed, keys)
            manifest = await self._next(stack, files, names.manifest, limit=LARGEST_MANIFEST)
            _check_hash(names.manifest, manifest, hashes)
            protocols = read_manifest(await asyncio.to_thread(manifest.path.read_bytes))
            packages, received = await self._packages(stack, files, names, hashes)
            yield CheckedRelease(checksums, signature, manifest, evidence, protocols, packages, received)

    async def keep(
        self, release: CheckedRelease, published: ProviderVersion | None, *, refused: bool
    ) -> CheckedRelease:
        """Store the release's files: no row names them yet, or the store may have lost them since.

        Args:
            release: what was sent.
            published: what there is of this version.
            refused: whether its last verification refused that.

        Returns:
            The release. Another signature than the published one is nobody's and is not stored, as long as that
            one is there and good; else it takes its place: the old one can't be made again.
        """
        signatures, replaces = [release.signature], None
        if published is not None and published.signature_sha256 != release.signature.sha256:
            if refused or await problem_of(self._store, published.signature_sha256) is not None:
                replaces = published.signature_sha256
            else:
                signatures = []
        for file in (release.checksums, *signatures, release.manifest, *release.files):
            await self._store.keep(file)
        return replace(release, replaces=replaces)

    async def _packages(
        self,
        stack: AsyncExitStack,
        files: AsyncIterator[ReleaseFile],
        names: ReleaseNames,
        hashes: dict[str, str],
    ) -> tuple[list[ProviderPackage], list[Received]]:
        missing = {name: platform for name in hashes if (platform := names.platform(name)) is not None}
        if not missing:
            raise ReleaseIncomplete("SHA256SUMS names no package of this provider and version")
        packages, received = [], []
        async for file in files:
            platform = missing.pop(file.name, None)
            if platform is None:
                raise ChecksumMismatch(
                    "the file was sent already, or SHA256SUMS does not name it as a package of this version",
                    file=file.name[:255],
                )
            package = await self._receive(stack, file, limit=self._limits.package_bytes, advice=OF_PACKAGES)
            _check_hash(file.name, package, hashes)
            h1 = await asyncio.to_thread(
                check_provider,
                package.path,
                type=names.address.type,
                version=names.version,
                platform=platform,
                limits=self._limits.package_archive,
            )
            packages.append(
                ProviderPackage(
                    os=platform.os,
                    arch=platform.arch,
                    filename=file.name,
                    sha256=package.sha256,
                    size=package.size,
                    h1=h1,
                )
            )
            received.append(package)
        if missing:
            raise ReleaseIncomplete(
                "packages that SHA256SUMS names were not sent; send the whole release", missing=sorted(missing)
            )
        return packages, received

    async def _next(
        self, stack: AsyncExitStack, files: AsyncIterator[ReleaseFile], expected: str, *, limit: int
    ) -> Received:
        file = await anext(files, None)
        if file is None or file.name != expected:
            sent = None if file is None else file.name[:255]
            raise UploadInvalid(f"{expected} should come here; {ORDER}", expected=expected, sent=sent)
        return await self._receive(stack, file, limit=limit, advice=f"no such file is so large; {ORDER}")

    async def _receive(self, stack: AsyncExitStack, file: ReleaseFile, *, limit: int, advice: str) -> Received:
        try:
            return await stack.enter_async_context(self._store.receive(file.data, limit=limit))
        except BlobTooLarge as error:
            raise UploadTooLarge(f"{file.name} has more than {limit} bytes: {advice}", limit=limit) from error


def _check_hash(name: str, file: Received, hashes: dict[str, str]) -> None:
    if hashes.get(name) != file.sha256:
        raise ChecksumMismatch(
            "the file is not what SHA256SUMS says, or it is not named there",
            file=name,
            expected=hashes.get(name),
            sent=file.sha256,
        )
