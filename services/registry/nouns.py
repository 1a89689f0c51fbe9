"""From rows of published versions to the nouns that use cases give."""

from collections.abc import Sequence

from domain.registry.documents import DocumentsState, VersionDocuments
from domain.registry.gpg_keys import SignatureEvidence
from domain.registry.modules import ModuleVersion
from domain.registry.names import ModuleAddress, ProviderAddress
from domain.registry.providers import ProviderPackage, ProviderVersion
from domain.registry.withdrawals import Deprecation, Yank
from storage.registry.tables import MayBeWithdrawn, ModuleDocumentsRow, ModuleVersionRow, ProviderVersionRow


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
    address: ProviderAddress, row: ProviderVersionRow, packages: Sequence[ProviderPackage]
) -> ProviderVersion:
    """Give a release of the provider at an address, with as many of its packages as are needed."""
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


def documents_of(row: ModuleDocumentsRow | None) -> VersionDocuments:
    """Give what is known of a version's documents."""
    if row is None:
        return VersionDocuments(state=DocumentsState.PENDING)
    return VersionDocuments.model_validate(row, from_attributes=True)
