"""The use cases of the registry, put together."""

from dataclasses import dataclass

from domain.registry.capability import Capabilities
from integrations.signatures import SignatureVerifier
from services.changes import Changes
from services.registry.downloads import Downloads
from services.registry.gpg_keys import GpgKeys
from services.registry.limits import RegistryLimits
from services.registry.modules import Modules
from services.registry.namespaces import Namespaces
from services.registry.providers import Providers
from services.registry.releases import Releases
from services.registry.withdrawals import Withdrawals
from storage.blobs.store import BlobStore
from storage.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryServices:
    """Modules and providers: publishing, finding, fetching."""

    namespaces: Namespaces
    gpg_keys: GpgKeys
    modules: Modules
    providers: Providers
    withdrawals: Withdrawals
    downloads: Downloads
    changes: Changes
    """Of what the registry answers."""


def make_registry(
    database: Database, blobs: BlobStore, *, signing_key: bytes, limits: RegistryLimits
) -> RegistryServices:
    """Make the use cases; the signing key is the secret behind addresses of downloads."""
    changes = Changes()
    return RegistryServices(
        namespaces=Namespaces(database),
        gpg_keys=GpgKeys(database, changes),
        modules=Modules(database, blobs, changes, limits),
        providers=Providers(database, Releases(blobs, SignatureVerifier(), limits), changes),
        withdrawals=Withdrawals(database, changes),
        downloads=Downloads(blobs, Capabilities(signing_key)),
        changes=changes,
    )
