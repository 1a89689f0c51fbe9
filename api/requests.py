"""What a request says of itself, read from its ASGI scope by the layers that stand before any framework."""

from typing import Final

from starlette.types import Scope

LONGEST_REQUEST_ID: Final = 100


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


def bearer_of(authorization: bytes | None) -> str | None:
    """Give the key that an Authorization header brings; None where it brings none."""
    scheme, _, token = (authorization or b"").partition(b" ")
    return token.strip().decode("latin-1") if scheme.lower() == b"bearer" else None
