"""Download addresses that carry their own permission.

The command line tools send no token when they fetch an archive, so the address itself must open it: it names
the content and a window of time, and a keyed hash over both shows that this installation gave it out. Nobody
is named in it, so all answers of one window are the same bytes and can be cached.
"""

import hashlib
import hmac
from datetime import datetime, timedelta
from typing import Final

WINDOW: Final = timedelta(minutes=15)


def window_of(moment: datetime) -> int:
    """Give the number of the window that a moment lies in."""
    return int(moment.timestamp() // WINDOW.total_seconds())


def seconds_left(moment: datetime) -> float:
    """Tell how long the window of a moment goes on."""
    return WINDOW.total_seconds() - moment.timestamp() % WINDOW.total_seconds()


class Capabilities:
    """Makes and checks capabilities of one installation; all its processes share the key."""

    def __init__(self, key: bytes) -> None:
        """Take the installation's signing key."""
        self._key = hmac.digest(key, b"registry download capability", "sha256")

    def issue(self, sha256: str, *, window: int) -> str:
        """Make the capability to read one content, valid in the window, the one before, and the next."""
        return f"{window}.{self._mac(sha256, window)}"

    def allows(self, capability: str, sha256: str, *, now: datetime) -> bool:
        """Tell whether the capability opens this content now. Anything that was not issued does not."""
        number, _, mac = capability.partition(".")
        if not (number.isascii() and number.isdecimal() and len(number) <= 12):  # noqa: PLR2004  beyond year 9999
            return False
        window = int(number)
        authentic = hmac.compare_digest(mac.encode(), self._mac(sha256, window).encode())
        # The window before too: whoever gave the address out may have a clock that is ahead of this one.
        return authentic and window - 1 <= window_of(now) <= window + 1

    def _mac(self, sha256: str, window: int) -> str:
        return hmac.new(self._key, f"{sha256}:{window}".encode(), hashlib.sha256).hexdigest()
