"""The one way to change what the registry answers: nobody can forget to tell who keeps answers."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from domain.scope import Scope
from services.changes import Changes
from storage.database import Database, Session
from storage.registry.changes import tell


@asynccontextmanager
async def changing(database: Database, changes: Changes, scope: Scope) -> AsyncIterator[Session]:
    """Open a transaction whose commit everybody hears of: other processes by NOTIFY, this one before it goes on.

    Whoever finds in it that no answer will show a difference says so: storage.registry.changes.note_unseen.

    Raises:
        Unavailable, Busy: see Database.transaction.
    """
    async with database.transaction(scope) as session:
        yield session
        is_told = await tell(session, scope.organization_id)
    if is_told:
        changes.tell(scope.organization_id)
