"""Use cases on worker processes: which give signs of life."""

from datetime import timedelta
from typing import Final
from uuid import UUID

from storage.database import Database
from storage.provisioning import workers

FORGOTTEN: Final = timedelta(days=1)


class Workers:
    """Keeps a row per worker process, by which health and doctor tell whether anybody does the work."""

    def __init__(self, database: Database) -> None:
        """Take what the use cases need, made once at start-up."""
        self._database = database

    async def beat(self, worker_id: UUID, host: str, queues: list[str], slots: int) -> None:
        """Note that a worker lives; forget those of which nothing was heard for a day."""
        async with self._database.platform("worker's sign of life") as session:
            await workers.beat(session, worker_id, host, queues, slots)
            await workers.forget_silent(session, FORGOTTEN)

    async def leave(self, worker_id: UUID) -> None:
        """Note that a worker has stopped."""
        async with self._database.platform("worker leaves") as session:
            await workers.remove(session, worker_id)
