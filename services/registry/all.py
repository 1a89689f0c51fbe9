"""The use cases of the registry, put together."""

from dataclasses import dataclass

from domain.registry.capability import Capabilities
from integrations.documents.reading import find_reader
from integrations.signatures import SignatureVerifier
from services.changes import Changes
from services.registry.documents import ModuleDocuments
from services.registry.downloads import Downloads
from services.registry.gpg_keys import GpgKeys
from services.registry.limits import RegistryLimits
from services.registry.modules import Modules
from services.registry.namespaces import Namespaces
from services.registry.offers import Offers
from services.registry.providers import Providers
from services.registry.releases import Releases
from services.registry.usage import Usage
from services.registry.verifications import Verifications
from services.registry.verifier import ReleaseVerifier
from services.registry.withdrawals import Withdrawals
from storage.blobs.store import BlobStore
from storage.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryServices:
    """Modules and providers: publishing, finding, fetching."""

    namespaces: Namespaces
    gpg_keys: GpgKeys
    modules: Modules
    documents: ModuleDocuments
    providers: Providers
    offers: Offers
    verifications: Verifications
    withdrawals: Withdrawals
    downloads: Downloads
    usage: Usage
    changes: Changes
    """Of what the registry answers."""


def make_registry(
    database: Database, blobs: BlobStore, *, signing_key: bytes, limits: RegistryLimits
) -> RegistryServices:
    """Make the use cases; the signing key is the secret behind addresses of downloads."""
    changes = Changes()
    verifier = SignatureVerifier()
    return RegistryServices(
        namespaces=Namespaces(database),
        gpg_keys=GpgKeys(database, changes),
        modules=Modules(database, blobs, changes, limits),
        documents=ModuleDocuments(database, blobs, changes, limits=limits.module_archive, find_reader=find_reader),
        providers=Providers(database, Releases(blobs, verifier, limits), changes),
        offers=Offers(database),
        verifications=Verifications(database, ReleaseVerifier(blobs, verifier), changes),
        withdrawals=Withdrawals(database, changes),
        downloads=Downloads(blobs, Capabilities(signing_key)),
        usage=Usage(database),
        changes=changes,
    )
