"""The use cases of identity, put together."""

from dataclasses import dataclass

from services.changes import Changes
from services.identity.api_keys import ApiKeys
from services.identity.authentication import Authentication
from services.identity.hashing import KeyHasher
from storage.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityServices:
    """Who somebody is, and what they may do."""

    authentication: Authentication
    api_keys: ApiKeys
    changes: Changes
    """Of anybody's rights."""


def make_identity(database: Database, hasher: KeyHasher, *, pepper: bytes) -> IdentityServices:
    """Make the use cases; the pepper is the secret that keys are remembered by."""
    changes = Changes()
    return IdentityServices(
        authentication=Authentication(database, hasher, pepper, changes),
        api_keys=ApiKeys(database, hasher),
        changes=changes,
    )
