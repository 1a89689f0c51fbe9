"""Verifications: what was found each time that a published release was verified, and how one is asked for."""

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from pydantic import BaseModel, Field

from domain.registry.gpg_keys import SignatureEvidence
from domain.registry.providers import ProviderPackage, ReleaseNames

VERIFY_WORKFLOW: Final = "registry.verify_provider"


class VerificationResult(StrEnum):
    """What a verification came to."""

    VERIFIED = "verified"
    REFUSED = "refused"
    INCOMPLETE = "incomplete"
    """A file is gone from the blob store or can't be read: the release is served, or not, as it was before."""


class VerifiedFile(BaseModel, frozen=True):
    """A stored file of a release, as a verification found it."""

    name: str
    sha256: str = Field(description="What it was published with; of packages also what SHA256SUMS says.")
    found_sha256: str | None = Field(description="Of the bytes that were read; null where the store gives none.")

    @property
    def is_lost(self) -> bool:
        """Whether the store gives no bytes of it."""
        return self.found_sha256 is None

    @property
    def is_unchanged(self) -> bool:
        """Whether the bytes are those that were published."""
        return self.found_sha256 == self.sha256


class Verification(BaseModel, frozen=True, from_attributes=True):
    """What was found when a release was verified. The first was made when it was published; none ever changes."""

    id: UUID
    result: VerificationResult
    code: str | None = Field(description="Why it was not verified, as an error's code; null where it was.")
    reason: str | None = Field(description="The same in a sentence.")
    checked_at: datetime = Field(description="When the keys were read that it was checked with.")
    checked_by: dict[str, str] = Field(
        description="Each tool that checks signatures here, with its version.", examples=[{"pysequoia": "0.1.35"}]
    )
    evidence: SignatureEvidence | None = Field(
        description="Which key signed SHA256SUMS, and when; null where no key of the namespace is shown to have."
    )
    files: list[VerifiedFile] = Field(description="SHA256SUMS, its signature, the manifest, and every package.")


def kept_files(
    names: ReleaseNames,
    checksums_sha256: str,
    signature_sha256: str,
    manifest_sha256: str | None,
    packages: Iterable[ProviderPackage],
) -> dict[str, str]:
    """Give what is kept of a release, each file's name with its sha256; of older releases that is no manifest."""
    kept = {names.checksums: checksums_sha256, names.signature: signature_sha256}
    if manifest_sha256 is not None:
        kept[names.manifest] = manifest_sha256
    return kept | {package.filename: package.sha256 for package in packages}


class RequestedVerification(BaseModel, frozen=True):
    """A verification that was asked for."""

    id: UUID = Field(description="What the verification will be called in the list.")
    done: bool = Field(description="Whether it is in the list already.")


class VerificationReference(BaseModel, frozen=True):
    """Input of the workflow that has a release verified again."""

    organization_id: UUID
    verification_id: UUID

    @property
    def workflow_id(self) -> str:
        """What the workflow is called: a verification has one, however often it is started."""
        return f"verification:{self.verification_id}"


class VerificationReport(BaseModel, frozen=True):
    """What verifying came to, for people who read the history. Without a result, the release is gone."""

    result: VerificationResult | None = None
    code: str | None = None
