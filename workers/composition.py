"""Puts the use cases together: the one place that knows what each is made from."""

from dataclasses import dataclass

from domain.cursors import CursorSigner
from services.all import Services
from services.identity.api_keys import ApiKeys
from services.identity.authentication import Authentication
from services.identity.hashing import KeyHasher
from services.secrets import Envelope
from services.tenants.organizations import Organizations
from storage.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Secrets:
    """What the installation keeps secret, read once at start-up; each at least 32 random bytes."""

    key_encryption_key: bytes
    pepper: bytes
    signing_key: bytes


def compose(database: Database, secrets: Secrets) -> Services:
    """Make all use cases over one database."""
    hasher = KeyHasher()
    return Services(
        authentication=Authentication(database, hasher, secrets.pepper),
        organizations=Organizations(database, hasher),
        api_keys=ApiKeys(database, hasher),
        envelope=Envelope(database, secrets.key_encryption_key),
        cursors=CursorSigner(secrets.signing_key),
    )
