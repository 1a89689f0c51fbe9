"""A worker's signs of life: a row, by which health and doctor know who does the work, and a file for its host.

It also says when a server is away that the worker needs: without runs to do, nothing else would notice.
"""

import asyncio
import socket
from datetime import timedelta
from pathlib import Path
from typing import Final

import structlog
from temporalio.client import Client
from temporalio.service import RPCError

from domain.errors import Unavailable
from domain.ids import new_id
from domain.outages import Outage
from services.provisioning.workers import Workers

EVERY_SECONDS: Final = 10
PATIENCE: Final = timedelta(seconds=2)
log = structlog.get_logger(__name__)


class Presence:
    """Writes a row every EVERY_SECONDS, and takes it away at the end."""

    def __init__(
        self, workers: Workers, client: Client, *, queues: list[str], slots: int, alive_file: Path | None = None
    ) -> None:
        """Take the use cases, and what this process does.

        Args:
            workers: where the row is written.
            client: of Temporal, which is asked whether it answers.
            queues: what it works on.
            slots: how many runs it executes at once.
            alive_file: is touched each time, also while the database is away: it tells that the process works.
        """
        self._workers = workers
        self._client = client
        self._temporal_away = Outage(log, "Temporal")
        self._database_away = Outage(log, "PostgreSQL")
        self._id = new_id()
        self._queues = queues
        self._slots = slots
        self._alive_file = alive_file

    async def run(self) -> None:
        """Be present until cancelled."""
        try:
            while True:
                if self._alive_file is not None:
                    self._alive_file.touch(mode=0o600)
                await self._write_row()
                await self._ask_temporal()
                await asyncio.sleep(EVERY_SECONDS)
        finally:
            if self._alive_file is not None:
                self._alive_file.unlink(missing_ok=True)
            try:
                await self._workers.leave(self._id)
            except Unavailable as error:
                log.warning("leave_not_written", reason=error.reason)  # the row grows old, and counts no longer

    async def _write_row(self) -> None:
        try:
            await self._workers.beat(self._id, socket.gethostname(), self._queues, self._slots)
        except Unavailable as error:
            self._database_away.began(error)
        else:
            self._database_away.ended()

    async def _ask_temporal(self) -> None:
        try:
            async with asyncio.timeout(
                2 * PATIENCE.total_seconds()
            ):  # a client that never connected keeps no time
                await self._client.service_client.check_health(timeout=PATIENCE)
        except (RPCError, RuntimeError, TimeoutError) as error:  # the second from one that can't connect
            self._temporal_away.began(error)
        else:
            self._temporal_away.ended()
