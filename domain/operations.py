"""How the installation is, as a whole: what is looked at, and what is said about it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

from domain.blobs import ADVICE, BlobStoreState
from domain.long_work import CONTROL_QUEUE, TERRAFORM_QUEUE, TICK_EVERY, TRANSFER_QUEUE, LastTick
from domain.provisioning.decisions import PHASE_OF
from domain.provisioning.run_states import RunState
from domain.registry.documents import DocumentsState

ALIVE: Final = timedelta(seconds=30)
"""A worker is alive that gave a sign in this time."""
STUCK: Final = timedelta(minutes=1)
"""A wake that is older was not delivered when it was due."""
LATE: Final = 3 * TICK_EVERY
"""An area that was not looked after for longer has been missed by the tick."""
RECENT: Final = timedelta(hours=1)
"""Runs that ended within it are counted; more are a matter for whoever keeps what the metrics told."""
NEEDED: Final = (CONTROL_QUEUE, TERRAFORM_QUEUE, TRANSFER_QUEUE)
"""Queues without which nothing that was accepted goes on."""


class Status(StrEnum):
    """How it is: everything works; requests are served and something waits; requests can't be served."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    UNHEALTHY = "unhealthy"


@dataclass(frozen=True, slots=True)
class QueueHealth:
    """A task queue: who works on it, and what waits there."""

    name: str
    workers: int = 0
    slots: int | None = None
    """Runs that its workers execute at once; None for a queue whose steps are short."""
    backlog: int = 0
    """Admitted runs whose next step is this queue's and that nobody is at; of `transfer`, documents of modules
    that are to be read and verifications that are to be made."""
    oldest: timedelta = timedelta()
    """How long the first of them has waited."""


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether requests can be served. What nobody knows while the database is away is None."""

    database: bool
    writable: bool | None = None
    """Whether it takes changes: a standby, or one that ran out of storage, only lets read."""
    migrated: bool | None = None
    blobs: BlobStoreState | None = None

    @property
    def ready(self) -> bool:
        """Whether requests are served; those that change nothing, where the database only lets read."""
        return self.database and self.migrated is True and not self.has_wrong_store

    @property
    def has_wrong_store(self) -> bool:
        """Whether the blob store is known to be another than the one the database speaks of."""
        return self.blobs is not None and self.blobs.is_wrong

    @property
    def advice(self) -> Iterator[str]:
        """What to do, a sentence for each thing that keeps requests from being served as they should."""
        if not self.database:
            yield "the database does not answer: look at PostgreSQL and at database.app_url"
        if self.writable is False:
            yield (
                "the database takes no changes: is it a former primary, or out of storage? Point database.app_url "
                "and database.platform_url to the primary, or make room"
            )
        if self.migrated is False:
            yield "the database's schema is not this release's: run `groundwork migrate`"
        if self.blobs in ADVICE:
            yield ADVICE[self.blobs]


@dataclass(frozen=True, slots=True)
class Health:
    """How the installation is. What nobody knows while the database does not tell is None, or empty."""

    readiness: Readiness
    workers: int = 0
    outbox_age: timedelta | None = None
    ticks: Sequence[LastTick] = ()
    queues: tuple[QueueHealth, ...] = ()
    hindered_documents: int = 0
    """Module versions whose documents can't be read here, though their code may be good; that is tried again."""

    @property
    def known(self) -> bool:
        """Whether the database told more than whether it is ready."""
        return self.outbox_age is not None

    @property
    def delivering(self) -> bool | None:
        """Whether what was accepted reaches Temporal; None where nobody knows."""
        return None if self.outbox_age is None else self.outbox_age < STUCK

    @property
    def ticking(self) -> bool | None:
        """Whether every area is looked after when it is due; None where nobody knows."""
        return bool(self.ticks) and not self.missed if self.known else None

    @property
    def missed(self) -> tuple[str, ...]:
        """The areas that were not looked after for LATE."""
        return tuple(tick.area for tick in self.ticks if tick.age > LATE)

    @property
    def failing(self) -> tuple[LastTick, ...]:
        """The areas of which some organizations could not be looked after, or were not reached."""
        return tuple(tick for tick in self.ticks if tick.failed or tick.left)

    @property
    def unmanned(self) -> tuple[str, ...]:
        """The queues that need a worker and have none."""
        return tuple(queue.name for queue in self.queues if queue.name in NEEDED and not queue.workers)

    @property
    def working(self) -> bool:
        """Whether what is accepted goes on."""
        return self.delivering is True and not self.unmanned

    @property
    def advice(self) -> tuple[str, ...]:
        """What to do, a sentence for each thing that is not as it should be; empty when all is well."""
        return tuple(self._sentences())

    @property
    def status(self) -> Status:
        """The whole in a word."""
        if not self.readiness.database or self.readiness.has_wrong_store:
            return Status.UNHEALTHY
        return Status.DEGRADED if self.advice else Status.HEALTHY

    def _sentences(self) -> Iterator[str]:
        yield from self.readiness.advice
        if self.readiness.ready and not self.known:
            yield "the database answers too slowly to tell how it goes: look at what it does"
        for name in self.unmanned:
            yield (
                f"no worker of the queue {name} was heard of for {ALIVE.total_seconds():.0f} s: "
                f"start `groundwork worker --queue {name}`, or look at its log"
            )
        if self.delivering is False:
            yield (
                "what was accepted does not reach Temporal: "
                "look whether Temporal answers, and at the log of a worker of the queue control"
            )
        if self.ticking is False:
            yield (
                f"the tick does not look after {', '.join(self.missed) or 'anything yet'}: what is overdue waits; "
                "look at the log of a worker of the queue control, and at control.tick in the Temporal Web UI"
            )
        for tick in self.failing:
            yield (
                f"of {tick.area}, the tick failed in {tick.failed} organizations and did not get to {tick.left}: "
                "look for organization_not_looked_after in the log of a worker of the queue control"
            )
        if self.hindered_documents:
            yield (
                f"the documents of {self.hindered_documents} module versions can't be read by this installation's "
                "workers; they can be installed all the same: `groundwork doctor` says why, and what to do"
            )


@dataclass(frozen=True, slots=True)
class UndeliveredWake:
    """A wake that has not reached Temporal: whose, how often it was tried, and what kept it the last time."""

    organization_id: UUID
    workflow_id: str
    attempts: int
    age: timedelta
    last_error: str | None


@dataclass(frozen=True, slots=True)
class HinderedDocuments:
    """A module version whose documents can't be read here: whose, why, and since when they are asked for."""

    organization_id: UUID
    module_version_id: UUID
    reason: str
    age: timedelta


@dataclass(frozen=True, slots=True)
class WaitingRun:
    """A run that something has to happen to, and for how long."""

    organization_id: UUID
    run_id: UUID
    state: RunState
    age: timedelta


@dataclass(frozen=True, slots=True)
class Oldest:
    """What has waited longest in all organizations, each None where nothing waits."""

    wake: UndeliveredWake | None
    backlog: WaitingRun | None
    """It is admitted, and no worker is at it."""
    queued: WaitingRun | None
    """It is not admitted."""
    blocking: WaitingRun | None
    """It has ended, and its deployment waits for a person."""
    hindered_documents: HinderedDocuments | None
    """Its documents can't be read here, whatever its code is like."""


@dataclass(frozen=True, slots=True)
class RefusedReleases:
    """How many releases are not served, by why; one may be among both."""

    by_verification: int
    """Their last verification refused them."""
    by_key: int
    """The key that signed them was revoked."""


@dataclass(frozen=True, slots=True)
class Measures:
    """What the metrics show of the rows."""

    unfinished: list[tuple[str, RunState, int]]
    finished: list[tuple[str, RunState, int]]
    """Those of the last hour."""
    queued: int
    queued_age: timedelta
    blocked: int
    refused: RefusedReleases
    outbox_waiting: int
    outbox_age: timedelta
    workers: int
    queues: tuple[QueueHealth, ...]
    ticks: Sequence[LastTick]
    documents: list[tuple[DocumentsState, int]]


def queue_of(state: RunState) -> str:
    """Name the queue whose turn it is with an admitted run that nobody is at."""
    return TERRAFORM_QUEUE if state in PHASE_OF else CONTROL_QUEUE
