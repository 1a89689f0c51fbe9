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

    def __init__(self, key: bytes, *others: bytes) -> None:
        """Take the installation's signing key, and others whose capabilities open as well."""
        self._keys = [hmac.digest(each, b"registry download capability", "sha256") for each in (key, *others)]

    def issue(self, sha256: str, *, window: int) -> str:
        """Make the capability to read one content, valid in the window, the one before, and the next."""
        return f"{window}.{_mac(self._keys[0], sha256, window)}"

    def allows(self, capability: str, sha256: str, *, now: datetime) -> bool:
        """Tell whether the capability opens this content now. Anything that was not issued does not."""
        number, _, mac = capability.partition(".")
        if not (number.isascii() and number.isdecimal() and len(number) <= 12):  # noqa: PLR2004  beyond year 9999
            return False
        window = int(number)
        if number != str(window):  # one address, not one for each number of zeros before it
            return False
        macs = (_mac(key, sha256, window) for key in self._keys)
        authentic = any(hmac.compare_digest(mac.encode(), each.encode()) for each in macs)
        # The window before too: whoever gave the address out may have a clock that is ahead of this one.
        return authentic and window - 1 <= window_of(now) <= window + 1


def _mac(key: bytes, sha256: str, window: int) -> str:
    return hmac.new(key, f"{sha256}:{window}".encode(), hashlib.sha256).hexdigest()
