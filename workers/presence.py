"""A worker's sign of life, by which health and doctor know that somebody does the work."""

import asyncio
import socket
from typing import Final

import structlog

from domain.errors import Unavailable
from domain.ids import new_id
from services.provisioning.workers import Workers

EVERY_SECONDS: Final = 10
log = structlog.get_logger(__name__)


class Presence:
    """Writes a row every EVERY_SECONDS, and takes it away at the end."""

    def __init__(self, workers: Workers, *, queues: list[str], slots: int) -> None:
        """Take the use cases, and what this process does."""
        self._workers = workers
        self._id = new_id()
        self._queues = queues
        self._slots = slots

    async def run(self) -> None:
        """Be present until cancelled."""
        is_away = False
        try:
            while True:
                try:
                    await self._workers.beat(self._id, socket.gethostname(), self._queues, self._slots)
                except Unavailable:
                    if not is_away:  # once: the next one may be written
                        log.warning("database_away")
                    is_away = True
                else:
                    if is_away:
                        log.info("database_back")
                    is_away = False
                await asyncio.sleep(EVERY_SECONDS)
        finally:
            try:
                await self._workers.leave(self._id)
            except Unavailable:
                log.warning("leave_not_written")  # the row grows old, and counts no longer
