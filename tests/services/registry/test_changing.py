"""Telling of what changed in the registry: after the commit, to everybody, and only of what an answer shows."""

from collections.abc import AsyncIterator
from uuid import UUID

import psycopg
import pytest
from psycopg import sql

from integrations.embedded.postgresql import PostgreSQL
from services.changes import Changes
from services.registry.changing import changing
from storage.database import Database
from storage.registry.changes import CHANNEL, note_unseen
from tests.factories.organizations import Caller

pytestmark = [pytest.mark.servers, pytest.mark.timeout(30)]


@pytest.fixture
async def another_process(postgresql: PostgreSQL) -> AsyncIterator[psycopg.AsyncConnection]:
    """Listen as every process does."""
    url = postgresql.platform_url.replace("postgresql+psycopg://", "postgresql://")
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(CHANNEL)))
        yield connection


class TestChanging:
    async def test_tells_here_and_elsewhere_of_what_is_committed_and_seen(
        self, database: Database, caller: Caller, stranger: Caller, another_process: psycopg.AsyncConnection
    ) -> None:
        here: list[UUID | None] = []
        changes = Changes()
        changes.subscribe(here.append)
        async with changing(database, changes, caller.scope) as session:
            note_unseen(session)
        with pytest.raises(LookupError):
            async with changing(database, changes, caller.scope):
                raise LookupError
        assert here == []
        async with changing(database, changes, stranger.scope):
            assert here == []
        assert here == [stranger.organization.id]
        elsewhere = [news.payload async for news in another_process.notifies(stop_after=1)]
        assert elsewhere == [str(stranger.organization.id)]
