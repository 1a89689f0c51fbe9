"""From rows of published versions to the nouns that use cases give."""

from collections.abc import Sequence

from domain.registry.documents import DocumentsState, VersionDocuments
from domain.registry.gpg_keys import SignatureEvidence
from domain.registry.modules import ModuleVersion
from domain.registry.names import ModuleAddress, ProviderAddress
from domain.registry.providers import ProviderPackage, ProviderVersion
from domain.registry.withdrawals import Deprecation, Refusal, Yank
from storage.registry.tables import (
    GpgKeyRow,
    MayBeWithdrawn,
    ModuleDocumentsRow,
    ModuleVersionRow,
    ProviderVersionRow,
)


def module_version(address: ModuleAddress, row: ModuleVersionRow) -> ModuleVersion:
    """Give a version of the module at an address."""
    return ModuleVersion(
        id=row.id,
        namespace=address.namespace,
        name=address.name,
        system=address.system,
        version=row.version,
        description=row.description,
        sha256=row.sha256,
        size=row.size,
        format=row.format,
        published_at=row.published_at,
        deprecation=deprecation_of(row),
        yank=yank_of(row),
    )


def provider_version(
    address: ProviderAddress,
    row: ProviderVersionRow,
    packages: Sequence[ProviderPackage],
    *,
    revoked_key: GpgKeyRow | None = None,
) -> ProviderVersion:
    """Give a release of the provider at an address, with as many of its packages as are needed.

    Args:
        address: of the provider.
        row: of the release.
        packages: of it.
        revoked_key: the one that signed it, if that was revoked, as far as the caller wants that told.
    """
    return ProviderVersion(
        id=row.id,
        namespace=address.namespace,
        type=address.type,
        version=row.version,
        protocols=row.protocols,
        platforms=sorted(packages, key=by_platform),
        checksums_sha256=row.checksums_sha256,
        signature_sha256=row.signature_sha256,
        evidence=SignatureEvidence.model_validate(row.evidence),
        published_at=row.published_at,
        deprecation=deprecation_of(row),
        yank=yank_of(row),
        refusal=refusal_of(row, revoked_key),
    )


def by_platform(package: ProviderPackage) -> tuple[str, str]:
    """Give what packages are sorted by."""
    return package.os, package.arch


def deprecation_of(row: MayBeWithdrawn) -> Deprecation | None:
    """Give what the users of a version are told, if it is deprecated."""
    if row.deprecated_at is None or row.deprecation is None:
        return None
    return Deprecation(message=row.deprecation, replacement=row.replacement, deprecated_at=row.deprecated_at)


def yank_of(row: MayBeWithdrawn) -> Yank | None:
    """Give why a version is not offered, if it is yanked."""
    if row.yanked_at is None or row.yank_reason is None:
        return None
    return Yank(reason=row.yank_reason, yanked_at=row.yanked_at)


def refusal_of(row: ProviderVersionRow, revoked_key: GpgKeyRow | None) -> Refusal | None:
    """Give why a release is not served, if it is not; a revoked key of its is reason enough."""
    if revoked_key is not None and revoked_key.revoked_at is not None:
        reason = (
            f"the key {revoked_key.key_id}, which signed it, was revoked; use a version that another key signed"
        )
        return Refusal(reason=reason, refused_at=revoked_key.revoked_at)
    if row.refused_at is None or row.refusal is None:
        return None
    return Refusal(reason=row.refusal, refused_at=row.refused_at)


def documents_of(row: ModuleDocumentsRow | None) -> VersionDocuments:
    """Give what is known of a version's documents; without a row, they wait for `groundwork migrate` to add it."""
    if row is None:
        return VersionDocuments(state=DocumentsState.PENDING)
    return VersionDocuments.model_validate(row, from_attributes=True)
