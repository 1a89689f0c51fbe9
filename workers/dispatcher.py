"""Delivers the wakes that committed transactions asked for, and sees to it that the tick is there."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import structlog
from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
    ScheduleUpdate,
)
from temporalio.common import (
    Priority,
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from domain.errors import AreaUnknown, Unavailable
from domain.long_work import CONTROL_QUEUE, TICK_EVERY
from domain.outages import Outage
from services.areas import Area
from storage import outbox
from storage.database import Database
from storage.listening import Listener, Subscription
from storage.outbox import CHANNEL, OutboxRow
from workflows import search_attributes

BATCH: Final = 100
SWEEP_SECONDS: Final = 1.0
"""Between sweeps when nothing is heard: a notification can be lost, a row can't."""
LEASE: Final = timedelta(seconds=30)
RPC_TIMEOUT: Final = timedelta(seconds=5)
CALL_SECONDS: Final = 2 * RPC_TIMEOUT.total_seconds()
"""A client that never connected connects at its first call, and keeps no time then."""
AWAY: Final = frozenset(
    # The second is what the client says when RPC_TIMEOUT is over.
    {RPCStatusCode.UNAVAILABLE, RPCStatusCode.CANCELLED, RPCStatusCode.DEADLINE_EXCEEDED}
)
TICK: Final = "control-tick"
LONGEST_TICK: Final = 3 * TICK_EVERY
"""A tick that hangs, whatever the reason, is ended then: the next ones would wait for it."""
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Postponed:
    """A wake that could not be delivered: why, and whether the wake or the server is to blame."""

    error: str
    server_away: bool

    def delay(self, attempts: int) -> timedelta:
        """Tell how long to wait: a moment for the server, longer and longer for a wake that keeps failing."""
        return timedelta(seconds=2 if self.server_away else min(2 ** min(attempts, 9), 300))


class Dispatcher:
    """Moves wakes from the outbox to Temporal, each at least once; a wake is harmless twice.

    Any number may run. Nothing is locked while Temporal is asked, one bad row delays no other, and a row that
    keeps failing waits longer and longer, with its error to be read beside it.
    """

    def __init__(self, database: Database, client: Client, *, areas: Mapping[str, Area], listen_url: str) -> None:
        """Take a client that may be lazy, so that this starts without Temporal too.

        Args:
            database: where the outbox is.
            client: of the namespace where the workflows run.
            areas: those that wakes are of, by name.
            listen_url: of the database directly, not through a pooler: LISTEN needs a connection of its own.
        """
        self._database = database
        self._client = client
        self._areas = areas
        self._news = asyncio.Event()
        self._database_away = Outage(log, "PostgreSQL")
        self._temporal_away = Outage(log, "Temporal")
        self._tick_was_there = False
        self._listener = Listener(
            listen_url,
            # Whatever it hears, looking is the answer; without a connection the sweeps alone must do.
            (Subscription(CHANNEL, lambda _: self._news.set(), lambda _: self._news.set()),),
        )

    async def run(self) -> None:
        """Deliver until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._listener.run())
            tasks.create_task(self._keep_tick())
            tasks.create_task(self._sweep_on_news())

    async def sweep(self) -> int:
        """Deliver what is due, up to BATCH rows; return how many were delivered."""
        async with self._database.platform("claim outbox") as session:
            rows = await outbox.claim_due(session, limit=BATCH, lease=LEASE)
        if not rows:
            return 0
        outcomes = await asyncio.gather(*(self._deliver(row) for row in rows))
        delivered = [row for row, postponed in zip(rows, outcomes, strict=True) if postponed is None]
        async with self._database.platform("settle outbox") as session:
            await outbox.settle(session, delivered)
            for row, postponed in zip(rows, outcomes, strict=True):
                if postponed is not None:
                    attempts = row.attempts - postponed.server_away
                    await outbox.postpone(session, row, attempts, postponed.delay(row.attempts), postponed.error)
        return len(delivered)

    async def ensure_tick(self) -> None:
        """See to it that the tick's Schedule is there, runs and is as wanted, whatever was done in the Web UI.

        A release that wants it otherwise changes it in the same way.
        """
        handle = self._client.get_schedule_handle(TICK)
        try:
            async with asyncio.timeout(CALL_SECONDS):
                found = (await handle.describe(rpc_timeout=RPC_TIMEOUT)).schedule
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            await self._make_tick()
            return
        self._tick_was_there = True
        if _what_matters(found) != _what_matters(_wanted_tick()):
            await handle.update(lambda _: ScheduleUpdate(_wanted_tick()), rpc_timeout=RPC_TIMEOUT)
            log.warning("tick_was_changed")
        if found.state.paused:
            await handle.unpause(note="nothing that is overdue would be looked after", rpc_timeout=RPC_TIMEOUT)
            log.warning("tick_was_paused", note=found.state.note)

    async def _make_tick(self) -> None:
        try:
            await self._client.create_schedule(
                TICK, _wanted_tick(), trigger_immediately=True, rpc_timeout=RPC_TIMEOUT
            )
        except ScheduleAlreadyRunningError:
            return  # another dispatcher was faster
        if self._tick_was_there:
            log.warning("tick_was_missing")
        self._tick_was_there = True

    async def _sweep_on_news(self) -> None:
        is_failing = False
        while True:
            self._news.clear()  # before looking: what commits while looking is looked for again
            try:
                delivered = await self.sweep()
            except Unavailable as error:
                self._database_away.began(error)
                delivered = 0
            except Exception:
                if not is_failing:  # a trace for each of many sweeps would tell no more
                    log.exception("sweep_failed")  # whatever it was, the next sweep may do better
                is_failing, delivered = True, 0
            else:
                self._database_away.ended()
                is_failing = False
            if delivered == 0:
                try:
                    await asyncio.wait_for(self._news.wait(), SWEEP_SECONDS)
                except TimeoutError:
                    continue

    async def _keep_tick(self) -> None:
        while True:
            try:
                await self.ensure_tick()
            except Exception as error:
                if _is_away(error):
                    self._temporal_away.began(error)
                else:
                    log.exception("tick_not_ensured")
            else:
                self._temporal_away.ended()
            await asyncio.sleep(TICK_EVERY.total_seconds())

    async def _deliver(self, row: OutboxRow) -> Postponed | None:
        try:
            await self._wake(row)
        except Exception as error:
            away = _is_away(error)
            if away:
                self._temporal_away.began(error)
            else:
                log.warning("wake_postponed", workflow_id=row.workflow_id, attempts=row.attempts, exc_info=True)
            return Postponed(_reason(error), server_away=away)
        self._temporal_away.ended()
        return None

    async def _wake(self, row: OutboxRow) -> None:
        try:
            await self._start(row, WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY)
        except WorkflowAlreadyStartedError:
            # It has completed. Where its row has not ended all the same, as after the database was restored or
            # has failed over, nobody else would ever go on with it.
            area = self._areas.get(row.area)
            if area is None:  # not settled: during an upgrade, another worker knows it
                raise AreaUnknown(f"no area here is called {row.area}") from None
            if not await area.is_unfinished(row.organization_id, row.resource_id):
                return
            log.warning("completed_workflow_started_anew", workflow_id=row.workflow_id)
            await self._start(row, WorkflowIDReusePolicy.ALLOW_DUPLICATE)

    async def _start(self, row: OutboxRow, reuse: WorkflowIDReusePolicy) -> None:
        identity = {
            "OrganizationId": str(row.organization_id),
            "Area": row.area,
            "ResourceId": row.resource_id,
        }
        area = self._areas.get(row.area)
        async with asyncio.timeout(CALL_SECONDS):
            await self._client.start_workflow(
                row.workflow,
                row.input,
                id=row.workflow_id,
                task_queue=row.task_queue,
                start_signal="wake" if area is None or area.hears_news else None,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                id_reuse_policy=reuse,
                search_attributes=_attributes(identity | row.attributes),
                static_summary=row.summary,
                priority=Priority(priority_key=row.priority, fairness_key=str(row.organization_id)),
                rpc_timeout=RPC_TIMEOUT,
            )


def _is_away(error: Exception) -> bool:
    """Tell whether Temporal does not answer; a lazy client that can't connect raises RuntimeError."""
    return isinstance(error, RuntimeError | TimeoutError) or (isinstance(error, RPCError) and error.status in AWAY)


def _reason(error: Exception) -> str:
    """Say in a line what kept a wake from Temporal; it is kept beside the wake, and doctor shows it."""
    told = error.reason if isinstance(error, Unavailable) else str(error)
    return ": ".join(word for word in (type(error).__name__, next(iter(told.splitlines()), "")) if word)


def _wanted_tick() -> Schedule:
    return Schedule(
        action=ScheduleActionStartWorkflow(
            "control.tick",
            id=TICK,
            task_queue=CONTROL_QUEUE,
            execution_timeout=LONGEST_TICK,
            static_summary="looks after what is overdue",
            typed_search_attributes=_attributes({"Area": "control", "ResourceId": TICK}),
        ),
        spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=TICK_EVERY)]),
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=TICK_EVERY),
    )


def _what_matters(tick: Schedule) -> tuple[object, ...]:
    """Give what decides whether the tick comes, in a form that the server gives back as it took it."""
    action = tick.action
    does = (
        (action.workflow, list(action.args), action.id, action.task_queue, action.execution_timeout)
        if isinstance(action, ScheduleActionStartWorkflow)
        else None
    )
    state = tick.state
    return does, tick.spec, tick.policy, state.limited_actions


def _attributes(values: dict[str, str]) -> TypedSearchAttributes:
    return TypedSearchAttributes(
        [SearchAttributePair(search_attributes.BY_NAME[name], value) for name, value in values.items()]
    )
