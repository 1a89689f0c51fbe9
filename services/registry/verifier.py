"""Verifies a published release again, from its stored bytes, as its publication did."""

import asyncio
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from domain.errors import BlobDamaged, BlobNotFound, PlatformError
from domain.registry.checksums import LARGEST as LARGEST_CHECKSUMS
from domain.registry.checksums import parse_checksums
from domain.registry.errors import ChecksumMismatch, StoredFileChanged, StoredFileLost
from domain.registry.gpg_keys import PublicKey, SignatureEvidence
from domain.registry.providers import ReleaseNames
from domain.registry.verifications import VerificationResult, VerifiedFile
from integrations.signatures import LARGEST_SIGNATURE, SignatureVerifier
from storage.blobs.store import BlobStore

LARGEST_READ: Final = max(LARGEST_CHECKSUMS, LARGEST_SIGNATURE)
MENDED: Final = (
    "publish the same files again, or restore the blob store from a backup and verify the release again"
)


@dataclass(frozen=True, slots=True)
class StoredRelease:
    """The files of a release as they are stored now, and what stands in the two that are read for it."""

    checksums: VerifiedFile
    content: bytes
    signature: VerifiedFile
    signed: bytes
    packages: list[VerifiedFile]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a verification found: who signed, as far as that is shown, every file, and what is wrong, if any."""

    checked_by: dict[str, str]
    evidence: SignatureEvidence | None
    files: list[VerifiedFile]
    reason: PlatformError | None

    @property
    def result(self) -> VerificationResult:
        """What that comes to."""
        if self.reason is None:
            return VerificationResult.VERIFIED
        is_lost = isinstance(self.reason, StoredFileLost)
        return VerificationResult.INCOMPLETE if is_lost else VerificationResult.REFUSED


class ReleaseVerifier:
    """Reads releases again, which takes as long as it takes, and judges what it read, which is soon done."""

    def __init__(self, store: BlobStore, signatures: SignatureVerifier) -> None:
        """Take where the bytes are, and what checks signatures."""
        self._store = store
        self._signatures = signatures

    async def read(
        self, names: ReleaseNames, files: Mapping[str, str], *, alive: Callable[[], None]
    ) -> StoredRelease:
        """Read every stored byte of a release.

        Args:
            names: what SHA256SUMS and its signature are called.
            files: each file's name with the sha256 that it was published with: those two first.
            alive: called with every piece that was read.

        Raises:
            Unavailable: the store does not answer; that is not held against the release.
        """
        read = {name: await self._read(name, sha256, alive) for name, sha256 in files.items()}
        checksums, content = read.pop(names.checksums)
        signature, signed = read.pop(names.signature)
        return StoredRelease(checksums, content, signature, signed, [package for package, _ in read.values()])

    async def verify(self, release: StoredRelease, keys: Sequence[PublicKey]) -> Outcome:
        """Hold what was read to its hashes, and those to the keys of its namespace, revoked ones included."""
        signed = [release.checksums, release.signature]
        files = [*signed, *release.packages]
        evidence, reason = None, None
        try:
            _check_unchanged(signed)
            if not any(file.is_lost for file in signed):
                evidence = await asyncio.to_thread(self._signatures.verify, release.content, release.signed, keys)
            _check_unchanged(release.packages)
            _check_there(files)  # last: a file that is lost says nothing for those that are there
            _check_named(release.packages, parse_checksums(release.content))
        except PlatformError as error:
            reason = error
        tools = await asyncio.to_thread(self._signatures.tools) if evidence is None else evidence.verified_by
        return Outcome(tools, evidence, files, reason)

    async def _read(self, name: str, sha256: str, alive: Callable[[], None]) -> tuple[VerifiedFile, bytes]:
        """Hash a stored file; give its beginning too, which is all of it for those whose content counts."""
        digest, beginning = hashlib.sha256(), bytearray()
        try:
            async for piece in self._store.open(sha256):
                await asyncio.to_thread(digest.update, piece)
                beginning += piece[: LARGEST_READ - len(beginning)]
                alive()
        except BlobNotFound:
            return VerifiedFile(name=name, sha256=sha256, found_sha256=None), b""
        except BlobDamaged as error:
            return VerifiedFile(name=name, sha256=sha256, found_sha256=error.found_sha256), b""
        return VerifiedFile(name=name, sha256=sha256, found_sha256=digest.hexdigest()), bytes(beginning)


def _check_unchanged(files: Sequence[VerifiedFile]) -> None:
    for file in files:
        if not (file.is_unchanged or file.is_lost):
            raise StoredFileChanged(f"{file.name} is not what was published; {MENDED}", file=file.name)


def _check_there(files: Sequence[VerifiedFile]) -> None:
    for file in files:
        if file.is_lost:
            raise StoredFileLost(
                f"it could not be verified: {file.name} is gone from the blob store, or can't be read there; "
                f"{MENDED}",
                file=file.name,
            )


def _check_named(packages: Sequence[VerifiedFile], hashes: dict[str, str]) -> None:
    for package in packages:
        if hashes.get(package.name) != package.sha256:
            raise ChecksumMismatch("the file is not what SHA256SUMS says", file=package.name)
