"""API keys: how one is written, and the noun that lists show.

A key is `gwk_<kind>_<kid>_<secret><checksum>`: kid is 10 base62 characters and public (logs and lists show
it), the secret 43 of them (256 bits), the checksum 6 (CRC-32 of all before it), so that garbage and truncated
pastes are refused without asking the database, and secret scanners can tell a key from noise.
"""

import secrets
import zlib
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from pydantic import BaseModel, Field

ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
KID_LENGTH: Final = 10
SECRET_LENGTH: Final = 43
CHECKSUM_LENGTH: Final = 6
PREFIX: Final = "gwk"


class KeyKind(StrEnum):
    """What a key is for: a person's own, or a machine's."""

    PERSONAL = "pat"
    SERVICE = "svc"
    RUN = "run"
    """A step of a run, for as long as it runs: installs from the registry and nothing else. No list shows it."""


class ApiKey(BaseModel, frozen=True, from_attributes=True):
    """An API key as lists show it; its secret was shown once, when it was made."""

    id: UUID
    kid: str = Field(description="The public part of the key, as it stands in the key itself.")
    kind: KeyKind
    name: str
    scopes: list[str] = Field(description='Permissions, at most those of its owner; "*" is all of them.')
    owner_id: UUID = Field(description="The user whose rights bound those of the key.")
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True)
class Token:
    """A key in the clear: only between its making and its one showing, or while it is checked."""

    kind: KeyKind
    kid: str
    text: str

    def __repr__(self) -> str:
        """Show the public part alone: a token in a traceback is a leak."""
        return f"Token({self.kind.value}, {self.kid})"


def new_token(kind: KeyKind) -> Token:
    """Make a key from the system's randomness."""
    kid = _random(KID_LENGTH)
    body = f"{PREFIX}_{kind.value}_{kid}_{_random(SECRET_LENGTH)}"
    return Token(kind, kid, body + _checksum(body))


def read_token(text: str) -> Token | None:
    """Read a key as it was sent; None if it can't be one (wrong form or checksum)."""
    parts = text.split("_")
    if len(parts) != 4 or parts[0] != PREFIX or parts[1] not in set(KeyKind):  # noqa: PLR2004  the form above
        return None
    if len(parts[2]) != KID_LENGTH or len(parts[3]) != SECRET_LENGTH + CHECKSUM_LENGTH or not text.isascii():
        return None
    if _checksum(text[:-CHECKSUM_LENGTH]) != text[-CHECKSUM_LENGTH:]:
        return None
    return Token(KeyKind(parts[1]), parts[2], text)


def _random(length: int) -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(length))


def _checksum(body: str) -> str:
    number, digits = zlib.crc32(body.encode()), ""
    for _ in range(CHECKSUM_LENGTH):
        number, digit = divmod(number, len(ALPHABET))
        digits = ALPHABET[digit] + digits
    return digits
