"""What each area with long work does for the platform, so that no row depends on its workflow."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Protocol, TypeAlias
from uuid import UUID

import structlog

from domain.errors import Busy, PlatformError, Unavailable
from domain.long_work import TickReport, Wake
from domain.scope import PLATFORM, Scope
from storage import outbox
from storage.database import Database, Session
from storage.overdue import Due, organizations_with_overdue, put_off_overdue

LONGEST: Final = 10.0
"""Seconds after which no further organization is begun: the tick does not wait for one area for ever."""
LONGEST_ONE: Final = 8.0
"""Seconds that one organization may take. With LONGEST it stays below what the tick waits for an area."""
MOST_UNAVAILABLE: Final = 3
"""Organizations one after the other in which a server did not answer: then it is away for all."""
MOST_AT_ONCE: Final = 500
"""Rows of an organization that are woken in one transaction; the others are first the next time."""
FindWakes: TypeAlias = Callable[[Session, UUID, Sequence[UUID]], Awaitable[Sequence[Wake]]]
"""Makes the wakes of an organization's rows, named by their ids."""
log = structlog.get_logger(__name__)


class Area(Protocol):
    """Knows of its rows which are not done, whatever became of their workflows."""

    @property
    def hears_news(self) -> bool:
        """Whether its workflows are told of a wake while they run; Temporal bounds how often."""
        ...

    async def is_unfinished(self, organization_id: UUID, resource_id: str) -> bool:
        """Tell whether there still is something to do for a row that a wake names."""
        ...

    async def look_after(self) -> TickReport:
        """Do what was missed when it was due; the tick asks for it every TICK_EVERY, and again is harmless.

        What is wrong with one organization must not keep the others waiting: see `each_organization`.

        Raises:
            Unavailable: nothing could be done; it is asked for again soon.
        """
        ...


async def look_after_overdue(area: str, database: Database, due: Due, wakes: FindWakes) -> TickReport:
    """Wake the workflows of all rows that are overdue, of organizations one by one: see each_organization."""
    async with database.platform(f"find what is overdue of {area}") as session:
        organizations = await organizations_with_overdue(session, due)

    async def look_after_one(organization_id: UUID) -> Counter[str]:
        return +Counter(woken=await wake_overdue(organization_id, database, due, wakes))

    return await each_organization(area, organizations, look_after_one)


async def wake_overdue(organization_id: UUID, database: Database, due: Due, wakes: FindWakes) -> int:
    """Wake the workflows of an organization's rows that are overdue, and put the rows off; tell how many."""
    scope = Scope(organization_id, PLATFORM)
    async with database.transaction(scope) as session:
        overdue = await put_off_overdue(session, organization_id, due, limit=MOST_AT_ONCE)
        for wake in await wakes(session, organization_id, overdue):
            await outbox.enqueue(session, scope, wake)
    return len(overdue)


async def each_organization(
    area: str, organizations: Sequence[UUID], look_after: Callable[[UUID], Awaitable[Counter[str]]]
) -> TickReport:
    """Look after organizations one by one; what fails in one is logged and counted, and the others go on.

    Args:
        area: whose name stands in the log.
        organizations: give them in another order each time, so that whoever is left was not left last time.
        look_after: does it for one, in transactions of its own, and counts what it did.

    Raises:
        Unavailable: a server is away, so that the others would fail as well.
    """
    began = time.monotonic()
    done: Counter[str] = Counter()
    succeeded = failed = left = unavailable = 0
    for organization_id in organizations:
        if time.monotonic() - began > LONGEST:
            left += 1
            continue
        try:
            async with asyncio.timeout(LONGEST_ONE):
                done += await look_after(organization_id)
        except Exception as error:
            failed += 1
            # Where others hold a lock, the server answers, and has time for the next organization.
            is_away = isinstance(error, Unavailable) and not isinstance(error, Busy)
            unavailable = unavailable + 1 if is_away else 0
            if unavailable == MOST_UNAVAILABLE:
                raise
            log.warning(
                "organization_not_looked_after",
                area=area,
                organization_id=str(organization_id),
                error=error.code if isinstance(error, PlatformError) else type(error).__name__,
                reason=error.reason if isinstance(error, Unavailable) else None,
                exc_info=not isinstance(error, PlatformError | TimeoutError),
            )
        else:
            succeeded += 1
            unavailable = 0
    return TickReport(done=dict(done), succeeded=succeeded, failed=failed, left=left)
