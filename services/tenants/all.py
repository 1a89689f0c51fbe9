"""The use cases of tenants, put together."""

from dataclasses import dataclass

from services.identity.hashing import KeyHasher
from services.tenants.organizations import Organizations
from storage.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantServices:
    """The organizations of the installation."""

    organizations: Organizations


def make_tenants(database: Database, hasher: KeyHasher) -> TenantServices:
    """Make the use cases."""
    return TenantServices(organizations=Organizations(database, hasher))
