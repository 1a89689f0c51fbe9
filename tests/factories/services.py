"""All use cases, over what a test brings."""

from datetime import timedelta

from config.secrets import Secrets
from services.all import Services
from services.registry.limits import RegistryLimits
from storage.blobs.store import BlobStore
from storage.database import Database
from workers.composition import compose


def make_services(database: Database, secrets: Secrets, blobs: BlobStore) -> Services:
    """Put the use cases together, with what the settings say unless somebody says otherwise."""
    return compose(
        database,
        secrets,
        blobs,
        lease=timedelta(minutes=1),
        limits=RegistryLimits(),
        hostname="registry.groundwork.test",
    )
