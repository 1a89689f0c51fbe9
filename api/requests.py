"""What a request says of itself, read from its ASGI scope by the layers that stand before any framework."""

import re
from typing import Final

from starlette.types import Scope

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


def short_word(given: bytes | None) -> str | None:
    """Give what a caller may name a request by, if that is what it sent: a short word."""
    if not given:
        return None
    word = given.decode("latin-1")
    return word if word.isascii() and word.isprintable() and len(word) <= LONGEST_REQUEST_ID else None


def is_known(asked: bytes, etag: bytes) -> bool:
    """Tell whether an If-None-Match names what is there, so that 304 is the answer to it (RFC 9110 13.1.2).

    Args:
        asked: the header as it came, several of them joined by commas; it may be empty.
        etag: the strong ETag of what is there.
    """
    return asked == etag or asked.strip() == b"*" or etag in _TAG.findall(asked)


def bearer_of(authorization: bytes | None) -> str | None:
    """Give the key that an Authorization header brings; None where it brings none."""
    scheme, _, token = (authorization or b"").partition(b" ")
    return token.strip().decode("latin-1") if scheme.lower() == b"bearer" else None
