"""What the tick does for runs, so that none depends on its workflow."""

from collections import Counter
from datetime import timedelta
from typing import Final
from uuid import UUID

from domain.long_work import TickReport
from domain.provisioning.errors import RunNotFound
from domain.provisioning.run_states import FINAL
from domain.scope import PLATFORM, Scope
from services.areas import each_organization
from services.provisioning.admission import Moved, free_and_admit
from services.provisioning.wakes import AREA, wake_of
from storage import outbox
from storage.database import Database
from storage.provisioning import queue, runs

OVERDUE: Final = timedelta(minutes=1)
MOST_AT_ONCE: Final = 500
"""Runs of an organization that are woken in one transaction; those that were not are first the next time."""


class ProvisioningArea:
    """Runs whose workflows were ended, or lost with Temporal; see services.areas.Area."""

    def __init__(self, database: Database) -> None:
        """Take what the use cases need, made once at start-up."""
        self._database = database

    async def is_unfinished(self, organization_id: UUID, workflow: str, resource_id: str) -> bool:  # noqa: ARG002  there is one
        """Tell whether a run is there and has not ended."""
        async with self._database.transaction(Scope(organization_id, PLATFORM)) as session:
            try:
                run = await runs.get(session, organization_id, UUID(resource_id))
            except RunNotFound:
                return False
            return run.state not in FINAL

    async def look_after(self) -> TickReport:
        """Wake the runs that should have been looked at, and repeat admission where anybody waits."""
        async with self._database.platform("find overdue runs") as session:
            organizations = await queue.organizations_with_work(session, grace=OVERDUE)
        return await each_organization(AREA, organizations, self._look_after_one)

    async def _look_after_one(self, organization_id: UUID) -> Counter[str]:
        scope = Scope(organization_id, PLATFORM)
        woken = await self._wake_overdue(scope)
        moved = await self.admit_waiting(scope)
        return +Counter(woken=woken, released=moved.released, admitted=moved.admitted)

    async def _wake_overdue(self, scope: Scope) -> int:
        async with self._database.transaction(scope) as session:
            overdue = await runs.put_off_overdue(session, scope.organization_id, grace=OVERDUE, limit=MOST_AT_ONCE)
            for run in overdue:
                await outbox.enqueue(session, scope, wake_of(run))
        return len(overdue)

    async def admit_waiting(self, scope: Scope) -> Moved:
        """Let go of locks whose runs have ended, and admit who is next: what was missed when it was due."""
        async with self._database.transaction(scope) as session:
            capacity = await queue.lock_permits(session, scope.organization_id)
            return await free_and_admit(session, scope, capacity)
