"""Use cases of who operates the installation: is it well, and how much is there to do."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from domain.errors import Unavailable
from domain.long_work import TERRAFORM_QUEUE
from domain.operations import ALIVE, NEEDED, Health, Measures, QueueHealth, queue_of
from services.registry.limits import RegistryLimits
from storage import operations, ticks
from storage.database import Database, Session
from storage.migrations.upgrade import suits
from storage.provisioning import runs, workers
from storage.provisioning.tables import WorkerRow

PATIENCE: Final = 2
"""Seconds that a question after the health takes at most; probes give up after little more."""


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
                alive = await workers.seen_within(session, ALIVE)
                return Health(
                    database=True,
                    migrated=suits(await operations.schema_revision(session)),
                    workers=len(alive),
                    queued=await operations.waiting_runs(session),
                    outbox_age=age,
                    ticks=await ticks.every(session),
                    queues=await _queues(session, alive),
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
            alive = await workers.seen_within(session, ALIVE)
            return Measures(
                runs=await runs.count_by_tier_and_state(session),
                queued=await operations.waiting_runs(session),
                outbox_waiting=waiting,
                outbox_age=age,
                workers=len(alive),
                queues=await _queues(session, alive),
                ticks=await ticks.every(session),
            )


async def _queues(session: Session, alive: Sequence[WorkerRow]) -> tuple[QueueHealth, ...]:
    """Look at each queue that is needed, or that somebody works on."""
    waiting: dict[str, list[tuple[int, timedelta]]] = {}
    for state, count, oldest in await operations.backlog(session):
        waiting.setdefault(queue_of(state), []).append((count, oldest))
    names = {*NEEDED, *(name for row in alive for name in row.queues)}
    return tuple(
        QueueHealth(
            name=name,
            workers=sum(name in row.queues for row in alive),
            slots=sum(row.slots for row in alive if name in row.queues) if name == TERRAFORM_QUEUE else None,
            backlog=sum(count for count, _ in waiting.get(name, ())),
            oldest=max((oldest for _, oldest in waiting.get(name, ())), default=timedelta()),
        )
        for name in sorted(names)
    )
