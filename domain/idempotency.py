"""A request that may be sent twice and counts once."""

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

KEPT: Final = timedelta(days=7)
"""How long a key is remembered: longer than anybody waits to send a request again."""


@dataclass(frozen=True, slots=True)
class Claim:
    """An Idempotency-Key on an operation, with a digest of what was asked for.

    The service claims it in its transaction (storage.idempotency), so of any number of requests with one key,
    at once or one after the other, one makes the thing and the others are answered with it. Where the answer
    held a secret, which is stored nowhere, the others are told so (AlreadyMade). A claim counts for KEPT at least.
    """

    operation: str
    key: str
    digest: str

    @classmethod
    def of(cls, operation: str, key: str, body: bytes) -> "Claim":
        """Make the claim of a request; body is what was sent, byte for byte."""
        return cls(operation, key, hashlib.sha256(body).hexdigest())
