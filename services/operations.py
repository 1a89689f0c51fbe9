"""Use cases of who operates the installation: is it well, how much is there to do, and its own upkeep."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta

from domain.errors import Unavailable
from domain.provisioning.run_states import RunState
from services.registry.limits import RegistryLimits
from storage import operations
from storage.database import Database
from storage.migrations.upgrade import head
from storage.provisioning import runs, workers

ALIVE = timedelta(seconds=30)
"""A worker is alive that gave a sign in this time."""
PATIENCE = 2
"""Seconds that a question after the health takes at most; probes give up after little more."""
STUCK = timedelta(minutes=1)
"""A wake that is older was not delivered when it was due."""


@dataclass(frozen=True, slots=True)
class Health:
    """How the installation is."""

    database: bool
    migrated: bool | None = None
    """None, like the age, where the database does not answer: then nobody knows."""
    workers: int = 0
    queued: int = 0
    outbox_age: timedelta | None = None

    @property
    def delivering(self) -> bool | None:
        """Whether what was accepted reaches Temporal; None where nobody knows."""
        return None if self.outbox_age is None else self.outbox_age < STUCK


@dataclass(frozen=True, slots=True)
class Measures:
    """What the metrics show of the rows."""

    runs: list[tuple[str, RunState, int]]
    queued: int
    outbox_waiting: int
    outbox_age: timedelta
    workers: int


class Operations:
    """Looks at the installation as a whole; everything here is the platform's own work."""

    def __init__(self, database: Database, registry_hostname: str, limits: RegistryLimits) -> None:
        """Take what the use cases need, made once at start-up, what the registry is called, and what it takes."""
        self._database = database
        self.registry_hostname = registry_hostname
        self.module_bytes = limits.module_bytes

    async def health(self) -> Health:
        """Tell how it is. A database that does not answer is an answer."""
        try:
            async with asyncio.timeout(PATIENCE), self._database.platform("health") as session:
                _, age = await operations.outbox(session)
                return Health(
                    database=True,
                    migrated=await operations.schema_revision(session) == head(),
                    workers=len(await workers.seen_within(session, ALIVE)),
                    queued=await operations.waiting_runs(session),
                    outbox_age=age,
                )
        except (Unavailable, TimeoutError):
            return Health(database=False)

    async def measure(self) -> Measures:
        """Count what there is.

        Raises:
            Unavailable.
        """
        async with self._database.platform("metrics") as session:
            waiting, age = await operations.outbox(session)
            return Measures(
                runs=await runs.count_by_tier_and_state(session),
                queued=await operations.waiting_runs(session),
                outbox_waiting=waiting,
                outbox_age=age,
                workers=len(await workers.seen_within(session, ALIVE)),
            )

    async def make_audit_partitions(self) -> int:
        """Keep two months of partitions ahead; return how many were made."""
        async with self._database.platform("audit partitions") as session:
            return await operations.make_audit_partitions(session)
