"""The use cases of the registry, put together."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from domain.registry.capability import Capabilities
from integrations.documents.reading import find_reader
from integrations.signatures import SignatureVerifier
from services.changes import Changes
from services.registry.counter import DownloadCounter
from services.registry.documents import ModuleDocuments
from services.registry.download_counts import DownloadCounts
from services.registry.downloads import Downloads
from services.registry.gpg_keys import GpgKeys
from services.registry.limits import RegistryLimits
from services.registry.modules import Modules
from services.registry.namespaces import Namespaces
from services.registry.offers import Offers
from services.registry.providers import Providers
from services.registry.releases import Releases
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
    counter: DownloadCounter
    download_counts: DownloadCounts
    changes: Changes
    """Of what the registry answers."""


def make_registry(
    database: Database,
    blobs: BlobStore,
    *,
    signing_keys: tuple[bytes, ...],
    limits: RegistryLimits,
    tofu: Path | None,
) -> RegistryServices:
    """Make the use cases.

    Args:
        database: where the truth is.
        blobs: where the bytes are.
        signing_keys: the secrets behind addresses of downloads; the first signs, and all are taken.
        limits: how large uploads may be.
        tofu: what documents are read with; None for the one on PATH.
    """
    changes = Changes()
    verifier = SignatureVerifier()
    return RegistryServices(
        namespaces=Namespaces(database),
        gpg_keys=GpgKeys(database, changes),
        modules=Modules(database, blobs, changes, limits),
        documents=ModuleDocuments(
            database,
            blobs,
            changes,
            limits=limits.module_archive,
            find_reader=partial(find_reader, tofu),
        ),
        providers=Providers(database, Releases(blobs, verifier, limits), changes),
        offers=Offers(database),
        verifications=Verifications(database, ReleaseVerifier(blobs, verifier), changes),
        withdrawals=Withdrawals(database, changes),
        downloads=Downloads(blobs, Capabilities(*signing_keys)),
        counter=DownloadCounter(database),
        download_counts=DownloadCounts(database),
        changes=changes,
    )
