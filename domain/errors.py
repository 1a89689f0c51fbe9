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
