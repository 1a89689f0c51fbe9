"""Hashes of API keys: argon2id, in few threads, and never more waiting than can be answered soon.

The stored text names its algorithm and parameters (PHC string format), so both can change. A key holds 256
random bits, so the slow hash guards against nothing but a misread requirement; it costs little, since a process
hashes a key once and then knows it by a keyed hash.
"""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError

from domain.errors import Unavailable

THREADS: Final = 2
LONGEST_QUEUE: Final = 64
HASHER: Final = PasswordHasher(time_cost=1, memory_cost=8 * 1024, parallelism=1)


class KeyHasher:
    """Hashes and checks keys off the event loop."""

    def __init__(self) -> None:
        """Start no thread yet."""
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="argon2")
        self._waiting = 0

    async def hash(self, token: str) -> str:
        """Give what is stored for a key."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, HASHER.hash, token)

    async def matches(self, stored: str, token: str) -> bool:
        """Tell whether a key is the one that was stored.

        Raises:
            Unavailable: too many checks are waiting already; a flood of bad keys must not make good ones wait.
        """
        if self._waiting >= LONGEST_QUEUE:
            raise Unavailable("too many keys are being checked; try again in a moment")
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, _verify, stored, token)
        finally:
            self._waiting -= 1

    def close(self) -> None:
        """Let the threads go."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _verify(stored: str, token: str) -> bool:
    try:
        return HASHER.verify(stored, token)
    except VerificationError:
        return False
