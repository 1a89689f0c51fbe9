"""Use cases on the logs of runs: read as they come, by any number of people, at one query for all of them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

import structlog

from domain.errors import Unavailable
from domain.outages import Outage
from domain.provisioning.logs import LogPiece, LogPosition, pieces_after
from domain.provisioning.run_states import FINAL, RunState
from domain.scope import Scope
from storage.database import Database
from storage.provisioning import logs, runs
from storage.provisioning.logs import MOST_CHUNKS, Watched
from storage.provisioning.tables import LogChunkRow

EVERY: Final = 0.2
"""Seconds between two looks, which is also how often a runner writes."""
ASKED_AGAIN: Final = 60.0
"""Seconds after which it is asked again whether somebody may follow: a run may wait for days, and keys end."""
log = structlog.get_logger(__name__)


@dataclass(slots=True, eq=False)
class _Follower:
    run_id: UUID
    organization_id: UUID
    position: LogPosition
    state: RunState | None = None
    is_behind: bool = False
    """There is more of the log than was read at once."""
    news: asyncio.Queue[list[LogPiece] | RunState | None] = field(default_factory=lambda: asyncio.Queue(maxsize=2))


class RunLogs:
    """Reads logs, and follows them for whoever watches: one task per process looks for all of them."""

    def __init__(self, database: Database) -> None:
        """Take what the use cases need, made once at start-up."""
        self._database = database
        self._followers: set[_Follower] = set()
        self._look_now = asyncio.Event()
        self._looking: asyncio.Task[None] | None = None
        self._is_ended = False

    async def read(self, scope: Scope, run_id: UUID, after: LogPosition) -> list[LogPiece]:
        """Give the next pieces of a run's log; none at its end so far.

        Raises:
            RunNotFound.
        """
        async with self._database.transaction(scope) as session:
            await runs.get(session, scope.organization_id, run_id)
            watched = Watched(scope.organization_id, run_id, after.step, after.offset)
            [chunks] = await logs.after(session, [watched])
            return pieces_after(_pieces(chunks), after)

    async def follow(
        self, scope: Scope, run_id: UUID, after: LogPosition, may_still: Callable[[], Awaitable[bool]]
    ) -> AsyncIterator[list[LogPiece] | RunState]:
        """Give pieces of a run's log as they come, and each state of it; after a final one comes nothing more.

        It ends earlier when the process stops: whoever follows comes again, and goes on where this one was. And
        it ends when `may_still`, which is asked every minute, says no.

        Raises:
            RunNotFound: unknown, or another organization's; with the first thing that is asked for.
        """
        async with self._database.transaction(scope) as session:
            await runs.get(session, scope.organization_id, run_id)
        follower = _Follower(run_id, scope.organization_id, after)
        self._followers.add(follower)
        self._look_now.set()
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        loop = asyncio.get_running_loop()
        ask_at = loop.time() + ASKED_AGAIN
        try:
            while not (self._is_ended and follower.news.empty()):
                if loop.time() >= ask_at:  # also of who never has to wait for news
                    if not await may_still():
                        return
                    ask_at = loop.time() + ASKED_AGAIN
                try:
                    async with asyncio.timeout_at(ask_at):
                        news = await follower.news.get()
                except TimeoutError:
                    continue
                if follower.is_behind:
                    self._look_now.set()
                if news is None:
                    return
                yield news
                if isinstance(news, RunState) and news in FINAL:
                    return
        finally:
            self._followers.discard(follower)
            self._look_now.set()

    def end_following(self) -> None:
        """End whatever is followed, for good: the process is about to stop."""
        self._is_ended = True
        for follower in self._followers:
            with contextlib.suppress(asyncio.QueueFull):  # who has something to take looks again after it
                follower.news.put_nowait(None)

    async def _look(self) -> None:
        """Look for all followers until there are none."""
        outage, is_failing = Outage(log, "PostgreSQL"), False
        while self._followers:
            self._look_now.clear()
            # Who has not taken what there was is not asked for again: a slow reader fills no memory.
            ready = [follower for follower in self._followers if follower.news.empty()]
            try:
                await self._serve(ready)
            except Unavailable as error:
                outage.began(error)  # whoever follows waits with us
            except Exception:  # one that ends here would leave all of them waiting for ever
                if not is_failing:
                    log.exception("following_failed")
                is_failing = True
            else:
                outage.ended()
                is_failing = False
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(EVERY):
                    await self._look_now.wait()

    async def _serve(self, followers: Sequence[_Follower]) -> None:
        if not followers:
            return
        at_same: dict[Watched, list[_Follower]] = {}
        for follower in followers:
            at = follower.position
            watched = Watched(follower.organization_id, follower.run_id, at.step, at.offset)
            at_same.setdefault(watched, []).append(follower)
        async with self._database.platform("follow logs") as session:
            # States first: once a run was seen ended, all of its log is there to be read after.
            states = await runs.states_of(session, {(w.organization_id, w.run_id) for w in at_same})
            behind = await logs.after(session, list(at_same))
        for (watched, those), chunks in zip(at_same.items(), behind, strict=True):
            news = pieces_after(_pieces(chunks), LogPosition(watched.step_number, watched.offset))
            state = states.get(watched.run_id)
            for follower in those:
                follower.is_behind = len(chunks) >= MOST_CHUNKS
                if news:
                    follower.position = news[-1].end
                    follower.news.put_nowait(news)
                # A state comes behind the log that led to it.
                if state is not None and state != follower.state and not follower.is_behind:
                    follower.state = state
                    follower.news.put_nowait(state)


def _pieces(chunks: Sequence[LogChunkRow]) -> list[LogPiece]:
    return [LogPiece(chunk.step_number, chunk.offset, chunk.data) for chunk in chunks]
