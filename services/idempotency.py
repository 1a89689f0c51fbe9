"""Use cases on idempotency keys, beside those that claim one in their own transaction."""

from storage import idempotency
from storage.database import Database


class IdempotencyKeys:
    """Keeps the memory of requests bounded."""

    def __init__(self, database: Database) -> None:
        """Take what the use cases need, made once at start-up."""
        self._database = database

    async def forget_old(self) -> None:
        """Forget keys that nobody can still be waiting with; again is harmless. It is work for the tick."""
        async with self._database.platform("forget idempotency keys") as session:
            await idempotency.forget_old(session)
