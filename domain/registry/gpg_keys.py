"""Keys that releases are signed with, and what a checked signature leaves behind."""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from pydantic import BaseModel, Field

WARN_BEFORE: Final = timedelta(days=30)
"""How long before a key expires people are warned of it."""
LARGEST_KEY: Final = 256 * 1024
"""Characters of a key as it is given, armored."""


class GpgKey(BaseModel, frozen=True, from_attributes=True):
    """A public key of a namespace. A revoked key signs nothing more, and nothing signed by it is served."""

    id: UUID
    namespace: str
    fingerprint: str = Field(description="Of the primary key, in full, lower-case hexadecimal digits.")
    key_id: str = Field(description="The last 16 digits in upper case, as the protocol names keys.")
    user_ids: list[str]
    ascii_armor: str
    created_at: datetime = Field(description="When it was added here.")
    expires_at: datetime | None = Field(description="When the last of it that can sign ends; null for never.")
    revoked_at: datetime | None
    warning: str | None = Field(
        default=None, description="What to do, from 30 days before the key expires; null before that."
    )

    def seen_at(self, moment: datetime) -> "GpgKey":
        """Give the key with the warning that is due at a time. One that was revoked needs none."""
        if self.revoked_at is not None or self.expires_at is None or moment < self.expires_at - WARN_BEFORE:
            return self
        day = self.expires_at.date().isoformat()
        if moment < self.expires_at:
            warning = (
                f"the signing key {self.key_id} expires on {day}: its owner should prolong it and add it to the "
                "registry again, or sign with another"
            )
        else:
            warning = (
                f"the signing key {self.key_id} expired on {day}: what it signed before stays good; to sign more, "
                "its owner has to prolong it and add it to the registry again, or use another"
            )
        return self.model_copy(update={"warning": warning})


class PublicKey(BaseModel, frozen=True, from_attributes=True):
    """A public key as signatures are checked with it: just read, or one of a namespace."""

    fingerprint: str
    subkeys: frozenset[str]
    user_ids: list[str]
    expires_at: datetime | None
    ascii_armor: str = Field(description="Written anew: a malformed armor in front of a good key is fatal.")
    revoked_at: datetime | None = Field(default=None, description="When it was taken out of use here.")

    @property
    def key_id(self) -> str:
        """Give the short name by which the protocol calls the key; never trusted to find one."""
        return self.fingerprint[-16:].upper()


class SignatureEvidence(BaseModel, frozen=True):
    """Who signed a release, when, and which tools say so. Kept with the release, and shown."""

    key_fingerprint: str
    signing_key_fingerprint: str = Field(description="The subkey that signed, or the key itself.")
    signed_at: datetime
    digest: str = Field(description="Hash algorithm of the signature, as in SHA512.")
    verified_by: dict[str, str] = Field(description="Each tool that checked, with its version.")
    key_expired_at: datetime | None = Field(
        description="Set if the key was past its expiry when this was checked; the signature is older than that."
    )
