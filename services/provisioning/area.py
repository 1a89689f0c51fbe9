"""What the tick does for runs, so that none depends on its workflow."""

from collections import Counter
from collections.abc import Sequence
from typing import Final
from uuid import UUID

from domain.long_work import TickReport, Wake
from domain.provisioning.errors import RunNotFound
from domain.provisioning.run_states import FINAL
from domain.scope import PLATFORM, Scope
from services.areas import each_organization, wake_overdue
from services.provisioning.admission import Moved, free_and_admit
from services.provisioning.wakes import AREA, wake_of
from storage.database import Database, Session
from storage.provisioning import queue, runs


class ProvisioningArea:
    """Runs whose workflows were ended, or lost with Temporal; see services.areas.Area."""

    hears_news: Final = True

    def __init__(self, database: Database) -> None:
        """Take what the use cases need, made once at start-up."""
        self._database = database

    async def is_unfinished(self, organization_id: UUID, resource_id: str) -> bool:
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
            organizations = await queue.organizations_with_work(session)
        return await each_organization(AREA, organizations, self._look_after_one)

    async def _look_after_one(self, organization_id: UUID) -> Counter[str]:
        scope = Scope(organization_id, PLATFORM)
        woken = await wake_overdue(organization_id, self._database, runs.DUE, _wakes)
        moved = await self.admit_waiting(scope)
        return +Counter(woken=woken, released=moved.released, admitted=moved.admitted)

    async def admit_waiting(self, scope: Scope) -> Moved:
        """Let go of locks whose runs have ended, and admit who is next: what was missed when it was due."""
        async with self._database.transaction(scope) as session:
            capacity = await queue.lock_permits(session, scope.organization_id)
            return await free_and_admit(session, scope, capacity)


async def _wakes(session: Session, organization_id: UUID, run_ids: Sequence[UUID]) -> list[Wake]:
    return [wake_of(run) for run in await runs.listed(session, organization_id, run_ids)]
