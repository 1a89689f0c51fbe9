"""Cursors of lists: opaque, signed, and good only for the list and filters that gave them out."""

import base64
import binascii
import hashlib
import hmac
import json
from typing import Final
from uuid import UUID

from domain.errors import CursorInvalid

MAC_BYTES: Final = 16


class CursorSigner:
    """Writes and reads cursors: where a page ended, bound by HMAC to what was listed."""

    def __init__(self, key: bytes, *others: bytes) -> None:
        """Take the secret that cursors are signed with, and others whose cursors are good too, and no more."""
        self._keys = (key, *others)

    def sign(self, listing: str, filters: dict[str, object], after: UUID) -> str:
        """Write a cursor that continues behind the given id."""
        mac = _mac(self._keys[0], listing, filters, after)
        return base64.urlsafe_b64encode(mac + after.bytes).decode().rstrip("=")

    def read(self, listing: str, filters: dict[str, object], cursor: str) -> UUID:
        """Tell where the page ended.

        Raises:
            CursorInvalid: changed, made for another list or other filters, or not a cursor.
        """
        try:
            raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError) as error:
            raise CursorInvalid("this is not a cursor of this list; start again without one") from error
        if len(raw) == MAC_BYTES + 16:
            after = UUID(bytes=raw[MAC_BYTES:])
            macs = (_mac(key, listing, filters, after) for key in self._keys)
            if any(hmac.compare_digest(raw[:MAC_BYTES], mac) for mac in macs):
                return after
        raise CursorInvalid("this is not a cursor of this list and its filters; start again without one")


def _mac(key: bytes, listing: str, filters: dict[str, object], after: UUID) -> bytes:
    bound = json.dumps([listing, filters, str(after)], sort_keys=True, default=str)
    return hmac.new(key, bound.encode(), hashlib.sha256).digest()[:MAC_BYTES]
