"""What a request says of itself, read from its ASGI scope by the layers that stand before any framework."""

import re
from typing import Final

from starlette.types import Scope

from domain.ids import new_id_text

LONGEST_REQUEST_ID: Final = 100
_TAG: Final = re.compile(rb'(?:W/)?("[!#-~\x80-\xff]*")')


def header(scope: Scope, name: bytes) -> bytes | None:
    """Give a request's header by its name in small letters; of several, the first."""
    for key, value in scope["headers"]:
        if key == name:
            found: bytes = value
            return found
    return None


def pattern_of(scope: Scope) -> str:
    """Give the pattern of a request's route; its path would be a series, and tell a secret, for every id."""
    pattern: str = getattr(scope.get("route"), "path", "none")
    return pattern


def request_id_of(given: bytes | None) -> str:
    """Give what a request is named by: the caller's own X-Request-ID if that is a short word, or a new id."""
    if given:
        word = given.decode("latin-1")
        if word.isascii() and word.isprintable() and len(word) <= LONGEST_REQUEST_ID:
            return word
    return new_id_text()


def is_known(asked: bytes, etag: bytes) -> bool:
    """Tell whether an If-None-Match names what is there, so that 304 is the answer to it (RFC 9110 13.1.2).

    Args:
        asked: the header as it came, several of them joined by commas; it may be empty.
        etag: the strong ETag of what is there.
    """
    return asked == etag or asked.strip() == b"*" or etag in _TAG.findall(asked)


def bearer_of(authorization: bytes | None) -> bytes | None:
    """Give the key that an Authorization header brings; None where it brings none."""
    if authorization is None or authorization[:7].lower() != b"bearer ":
        return None
    return authorization[7:].strip()
