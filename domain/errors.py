"""What the product raises on purpose.

Each error has a kind, which the edges map (api.problems to HTTP, activities.errors to Temporal), and a code,
which never changes because people search for it. Nothing below the edges knows a status number or a Temporal
type. The reference page of codes is generated from the subclasses of PlatformError and their docstrings.
"""

from enum import StrEnum
from typing import ClassVar


class ErrorKind(StrEnum):
    """How a caller should react."""

    INVALID = "invalid"
    UNAUTHENTICATED = "unauthenticated"
    PERMISSION_DENIED = "permission_denied"
    NOT_FOUND = "not_found"
    CONFLICT = "conflict"
    PRECONDITION_FAILED = "precondition_failed"
    TOO_LARGE = "too_large"
    TOO_MANY = "too_many"
    UNAVAILABLE = "unavailable"


class PlatformError(Exception):
    """Base of all errors raised on purpose; subclasses set kind and code."""

    kind: ClassVar[ErrorKind]
    code: ClassVar[str]

    def __init__(self, detail: str, **facts: object) -> None:
        """Keep a sentence for people and the facts behind it, which must be safe to show to the caller."""
        super().__init__(detail)
        self.detail = detail
        self.facts = facts


class Unavailable(PlatformError):
    """A server that this one needs does not answer; the same request may work later."""

    kind = ErrorKind.UNAVAILABLE
    code = "platform.unavailable"

    def __init__(self, detail: str, *, reason: str = "", **facts: object) -> None:
        """Keep beside the sentence what the server itself said: that is for logs, and never for the caller."""
        super().__init__(detail, **facts)
        self.reason = reason or detail


class Busy(Unavailable):
    """The database answers, but others held for too long what the request needs; the same may work later."""

    code = "platform.busy"


class IdempotencyKeyReused(PlatformError):
    """The Idempotency-Key was used before for another request; take a new key for a new request."""

    kind = ErrorKind.INVALID
    code = "platform.idempotency_key_reused"


class AlreadyMade(PlatformError):
    """This same request, by its Idempotency-Key, was answered before with a secret that is shown once."""

    kind = ErrorKind.CONFLICT
    code = "platform.already_made"


class CursorInvalid(PlatformError):
    """The cursor is not one that this list gave out for the same filters; start again without one."""

    kind = ErrorKind.INVALID
    code = "platform.cursor_invalid"


class BlobTooLarge(PlatformError):
    """The bytes are more than the caller set as their limit; nothing of them is kept."""

    kind = ErrorKind.TOO_LARGE
    code = "blobs.too_large"


class BlobNotFound(PlatformError):
    """The store has no such blob."""

    kind = ErrorKind.NOT_FOUND
    code = "blobs.not_found"


class BlobDamaged(Unavailable):
    """The bytes of a blob are not those that its name says, or can't be read, while the store itself works.

    They are refused until an operator has restored the blob.
    """

    code = "blobs.damaged"

    def __init__(self, detail: str, *, found_sha256: str | None, sha256: str) -> None:
        """Keep what the blob is called, and what its bytes are instead; None where they can't be read."""
        super().__init__(detail, sha256=sha256)
        self.found_sha256 = found_sha256


class SealBroken(PlatformError):
    """A sealed value does not open: it was changed, moved from elsewhere, or its key is another one.

    The stored value is damaged or was tampered with; restore it from a backup.
    """

    kind = ErrorKind.CONFLICT
    code = "secrets.seal_broken"


class ToolMissing(PlatformError):
    """A tool is neither on PATH in a version that works nor in the cache; the detail says what to do."""

    kind = ErrorKind.UNAVAILABLE
    code = "tools.missing"


class ServerFailed(PlatformError):
    """A server that the embedded mode runs itself did not start; its own last words are in the detail."""

    kind = ErrorKind.UNAVAILABLE
    code = "embedded.server_failed"


class SettingsInvalid(PlatformError):
    """A setting is missing, unknown or has a value that can't be: the detail names it and says what to write."""

    kind = ErrorKind.INVALID
    code = "settings.invalid"


class AreaFailed(PlatformError):
    """An area could be looked after in none of its organizations; the worker's log says why in each."""

    kind = ErrorKind.CONFLICT
    code = "control.area_failed"


class AreaUnknown(PlatformError):
    """This worker does not know the area; during an upgrade, another one does."""

    kind = ErrorKind.UNAVAILABLE
    code = "control.area_unknown"
