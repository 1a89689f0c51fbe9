"""The upkeep of the installation itself, and the note of when each area was looked after."""

from collections import Counter
from collections.abc import Collection
from typing import Final
from uuid import UUID

from domain.long_work import TickReport
from storage import idempotency, operations, ticks
from storage.database import Database
from storage.registry import download_batches

AREA: Final = "upkeep"
MOST_KEYS: Final = 10_000
"""Idempotency keys forgotten in one transaction; the tick goes on with the rest."""
MOST_COUNTS: Final = 10_000
"""Counts of downloads, and batches of them, forgotten in one transaction."""


class Upkeep:
    """What belongs to no organization's work; an area of its own for the tick, see services.areas.Area."""

    def __init__(self, database: Database) -> None:
        """Take what the use cases need, made once at start-up."""
        self._database = database

    hears_news: Final = False

    async def is_unfinished(self, organization_id: UUID, resource_id: str) -> bool:  # noqa: ARG002  no wakes
        """Say no: nothing here has a workflow."""
        return False

    async def look_after(self) -> TickReport:
        """Keep audit partitions ahead, and the memory of requests and of downloads bounded.

        Raises:
            Unavailable.
        """
        async with self._database.platform("forget idempotency keys") as session:
            forgotten = await idempotency.forget_old(session, limit=MOST_KEYS)
        async with self._database.platform("forget counts of downloads") as session:
            counts = await download_batches.forget_old(session, limit=MOST_COUNTS)
            batches = await download_batches.forget_batches(session, limit=MOST_COUNTS)
        async with self._database.platform("audit partitions") as session:
            made = await operations.make_audit_partitions(session)
        done = Counter(
            keys_forgotten=forgotten, counts_forgotten=counts, batches_forgotten=batches, partitions_made=made
        )
        return TickReport(done=dict(+done))

    async def expect_ticks(self, areas: Collection[str]) -> None:
        """Note which areas there are, so that one which is never looked after is seen; again is harmless."""
        async with self._database.platform("expect ticks") as session:
            await ticks.expect(session, areas)

    async def note_tick(self, area: str, report: TickReport) -> None:
        """Note that an area has been looked after."""
        async with self._database.platform("note a tick") as session:
            await ticks.note(session, area, report)
