"""Hearing of commits: whoever listens is told when nothing can be heard, and loses nothing without knowing it."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text

from integrations.embedded.postgresql import PostgreSQL
from storage.database import Database
from storage.listening import Listener, Subscription

pytestmark = [pytest.mark.servers, pytest.mark.timeout(30)]

CHANNEL = "test_listening"


class Ear:
    """What somebody was told, in order."""

    def __init__(self) -> None:
        self._told: asyncio.Queue[str | bool] = asyncio.Queue()
        self.subscription = Subscription(CHANNEL, self._told.put_nowait, self._told.put_nowait)

    async def next(self) -> str | bool:
        return await self._told.get()


@pytest.fixture
async def ear(postgresql: PostgreSQL) -> AsyncIterator[Ear]:
    made = Ear()
    listening = asyncio.create_task(Listener(postgresql.platform_url, (made.subscription,)).run())
    yield made
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)


class TestListener:
    async def test_says_that_it_hears_nothing_at_first_and_whenever_its_connection_is_cut(
        self, ear: Ear, database: Database
    ) -> None:
        assert [await ear.next(), await ear.next()] == [False, True]
        await notify(database, "before")
        assert await ear.next() == "before"
        async with database.platform("cut a connection") as session:
            cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE :query"
            assert await session.scalar(text(cut), {"query": f"LISTEN%{CHANNEL}%"})
        assert [await ear.next(), await ear.next()] == [False, True]
        await notify(database, "after")
        assert await ear.next() == "after"


async def notify(database: Database, news: str) -> None:
    async with database.platform("notify") as session:
        await session.execute(text("SELECT pg_notify(:channel, :news)"), {"channel": CHANNEL, "news": news})
