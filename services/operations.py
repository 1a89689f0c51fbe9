"""Use cases of who operates the installation: is it well, and how much is there to do."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Final, Generic, TypeVar

import structlog

from domain.blobs import BlobStoreState
from domain.errors import Unavailable
from domain.long_work import TERRAFORM_QUEUE, TRANSFER_QUEUE
from domain.operations import ALIVE, NEEDED, RECENT, Health, Measures, Oldest, QueueHealth, Readiness, queue_of
from domain.outages import Outage
from services.blobs import Blobs
from services.registry.limits import RegistryLimits
from storage import operations, ticks
from storage.database import Database, Session
from storage.migrations.upgrade import suits
from storage.provisioning import workers
from storage.provisioning.tables import WorkerRow

PATIENCE: Final = 2
"""Seconds that a question after the health takes at most; probes give up after little more."""
REMEMBERED: Final = 2.0
"""Seconds for which an answer is given again: whoever asks needs no key, and asks as often as they like."""

T = TypeVar("T")
log = structlog.get_logger(__name__)


class Operations:
    """Looks at the installation as a whole; everything here is the platform's own work."""

    def __init__(self, database: Database, blobs: Blobs, registry_hostname: str, limits: RegistryLimits) -> None:
        """Take what the use cases need, made once at start-up, what the registry is called, and what it takes."""
        self._database = database
        self._blobs = blobs
        self.registry_hostname = registry_hostname
        self.module_bytes = limits.module_bytes
        self._database_away = Outage(log, "PostgreSQL")
        self._database_slow = Outage(log, "PostgreSQL, asked how it goes")
        self._measuring = asyncio.Lock()
        self._readiness = _Remembered(self._look_whether_ready)
        self._blob_store = _Remembered(self._look_at_blobs)
        self._health = _Remembered(self._look_how_it_is)

    async def readiness(self) -> Readiness:
        """Tell whether requests can be served, with one question. A database that does not answer is an answer."""
        return await self._readiness.give()

    async def health(self) -> Health:
        """Tell how it is, as far as the database tells."""
        readiness = await self.readiness()
        if not readiness.migrated:
            return Health(readiness)
        return replace(await self._health.give(), readiness=readiness)

    async def _look_whether_ready(self) -> Readiness:
        try:
            async with asyncio.timeout(PATIENCE), self._database.probe("readiness") as session:
                writable, revision = await operations.readiness(session)
        except (Unavailable, TimeoutError) as error:
            self._database_away.began(error)
            return Readiness(database=False)
        self._database_away.ended()
        migrated = suits(revision)
        blobs = await self._blob_store.give() if migrated else None
        return Readiness(database=True, writable=writable, migrated=migrated, blobs=blobs)

    async def _look_at_blobs(self) -> BlobStoreState | None:
        """Look at the blob store; None while the database does not tell what it should be."""
        try:
            async with asyncio.timeout(PATIENCE):
                return await self._blobs.look()
        except TimeoutError:
            return BlobStoreState.AWAY
        except Unavailable:
            return None

    async def _look_how_it_is(self) -> Health:
        readiness = Readiness(database=True)
        try:
            async with asyncio.timeout(PATIENCE), self._database.probe("health") as session:
                _, age = await operations.outbox(session)
                alive = await workers.seen_within(session, ALIVE)
                health = Health(
                    readiness,
                    workers=len(alive),
                    outbox_age=age,
                    ticks=await ticks.every(session),
                    queues=await _queues(session, alive),
                    hindered_documents=await operations.hindered_documents(session),
                )
        except (Unavailable, TimeoutError) as error:
            self._database_slow.began(error)
            return Health(readiness)
        self._database_slow.ended()
        return health

    async def oldest(self) -> Oldest:
        """Name what has waited longest, in all organizations: for operators alone.

        Raises:
            Unavailable.
        """
        async with self._database.platform("what has waited longest") as session:
            return Oldest(
                wake=await operations.oldest_wake(session),
                backlog=await operations.oldest_in_backlog(session),
                queued=await operations.oldest_waiting_run(session),
                blocking=await operations.oldest_blocking_run(session),
                hindered_documents=await operations.oldest_hindered_documents(session),
            )

    async def measure(self) -> Measures:
        """Count what there is; for one who asks at a time.

        Raises:
            Unavailable.
        """
        async with self._measuring, self._database.probe("metrics") as session:
            waiting, age = await operations.outbox(session)
            queued, queued_age = await operations.waiting_runs(session)
            alive = await workers.seen_within(session, ALIVE)
            return Measures(
                unfinished=await operations.unfinished_runs(session),
                finished=await operations.finished_runs(session, RECENT),
                queued=queued,
                queued_age=queued_age,
                blocked=await operations.blocked_deployments(session),
                refused=await operations.refused_releases(session),
                outbox_waiting=waiting,
                outbox_age=age,
                workers=len(alive),
                queues=await _queues(session, alive),
                ticks=await ticks.every(session),
                documents=await operations.documents_by_state(session),
            )


class _Remembered(Generic[T]):
    """An answer that is given again for a while. Those who ask meanwhile wait for the one who looks."""

    def __init__(self, look: Callable[[], Awaitable[T]]) -> None:
        self._look = look
        self._looking = asyncio.Lock()
        self._answer: tuple[float, T] | None = None

    async def give(self) -> T:
        async with self._looking:
            if self._answer is None or time.monotonic() - self._answer[0] >= REMEMBERED:
                answer = await self._look()
                self._answer = time.monotonic(), answer
            return self._answer[1]


async def _queues(session: Session, alive: Sequence[WorkerRow]) -> tuple[QueueHealth, ...]:
    """Look at each queue that is needed, or that somebody works on."""
    waiting: dict[str, list[tuple[int, timedelta]]] = {}
    for state, count, oldest in await operations.backlog(session):
        waiting.setdefault(queue_of(state), []).append((count, oldest))
    waiting[TRANSFER_QUEUE] = [await operations.transfer_backlog(session)]
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
