"""The installation's secrets: where they are read from, and how one is made."""

import base64
import binascii
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from config.settings import Settings

KEY_BYTES: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Secrets:
    """What the installation keeps secret, read once at start-up: 32 random bytes each."""

    key_encryption_key: bytes
    pepper: bytes
    signing_key: bytes
    previous_signing_key: bytes | None = None

    @property
    def signing_keys(self) -> tuple[bytes, ...]:
        """The key that signs, and behind it the one that is taken as well."""
        return (
            (self.signing_key,)
            if self.previous_signing_key is None
            else (self.signing_key, self.previous_signing_key)
        )

    @classmethod
    def read(cls, settings: Settings) -> Self:
        """Read them from the files that the settings name.

        Raises:
            ValueError: a file is not 32 bytes in base64, as `make_key_file` writes them.
            OSError: a file can't be read.
        """
        files = settings.secrets
        previous = files.previous_signing_key_file
        return cls(
            key_encryption_key=_read_key_file(files.key_encryption_key_file),
            pepper=_read_key_file(files.pepper_file),
            signing_key=_read_key_file(files.signing_key_file),
            previous_signing_key=None if previous is None else _read_key_file(previous),
        )


def make_key_file(path: Path) -> None:
    """Write 32 random bytes in base64 to a new file that only its owner can read.

    Raises:
        FileExistsError: there is one already; a key is never overwritten.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(base64.b64encode(os.urandom(KEY_BYTES)) + b"\n")


def _read_key_file(path: Path) -> bytes:
    try:
        key = base64.b64decode(path.read_bytes().strip(), validate=True)
    except binascii.Error:
        key = b""
    if len(key) != KEY_BYTES:
        raise ValueError(f"{path} does not hold a key: it should be 32 random bytes in base64")
    return key
