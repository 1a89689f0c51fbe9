"""Counting downloads: what is noted is written once, whatever happens to the database or to this process."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from uuid import UUID

import pytest
import structlog
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from domain.errors import Busy, PlatformError, Unavailable
from domain.ids import new_id
from domain.registry.downloads import Consumer, DownloadKind, Given
from domain.registry.names import ModuleAddress
from domain.scope import Scope
from integrations.embedded.postgresql import PostgreSQL
from services.all import Services
from services.registry import counter as counter_module
from services.registry.counter import MOST_AT_ONCE, MOST_NOTED, MOST_TOOLS, DownloadCounter
from storage.database import Database
from storage.registry import download_counts
from tests.factories.modules import publish_module
from tests.factories.organizations import Caller
from tests.fixtures.commits import LossyWay

pytestmark = pytest.mark.servers


class Notes:
    """A module that a caller downloads, and the counting of it."""

    def __init__(self, database: Database, caller: Caller, version_id: UUID) -> None:
        self.counter = DownloadCounter(database)
        self._database = database
        self._caller = caller
        self._given = Given(caller.organization.id, DownloadKind.MODULE, version_id)

    def note(self, *, agent: bytes = b"OpenTofu/1.12.6", key_id: UUID | None = None) -> None:
        self.counter.note(self._given, key_id or self._caller.principal.key_id, agent)

    async def consumers(self, *, after: UUID | None = None) -> list[Consumer]:
        async with self._database.transaction(self._caller.scope) as session:
            organization_id, version_id = self._caller.organization.id, self._given.version_id
            return await download_counts.consumers(session, organization_id, version_id, after=after, limit=10)

    async def tools(self) -> list[str]:
        async with self._database.transaction(self._caller.scope) as session:
            return list(await session.scalars(text("SELECT user_agent FROM download_count")))

    async def counted(self) -> int:
        async with self._database.transaction(self._caller.scope) as session:
            return int(await session.scalar(text("SELECT sum(downloads) FROM download_count")) or 0)


class Gate:
    """Stands before the transactions of counting: says that one has begun, and lets it go on when told to."""

    def __init__(self, database: Database) -> None:
        self._transaction = database.transaction
        self.begun = asyncio.Event()
        self.open = asyncio.Event()

    @asynccontextmanager
    async def transaction(self, scope: Scope) -> AsyncIterator[AsyncSession]:
        async with self._transaction(scope) as session:
            self.begun.set()
            await self.open.wait()
            yield session


@pytest.fixture
async def notes(database: Database, services: Services, caller: Caller) -> Notes:
    published = await publish_module(services, caller, {"main.tf": ""})
    address = ModuleAddress(*published.source.split("/"))
    module = await services.registry.modules.get(caller.scope, address, published.version)
    return Notes(database, caller, module.id)


class TestWrite:
    @pytest.mark.parametrize(("error", "tried"), [(Busy, 2), (Unavailable, 1)])
    async def test_writes_in_parts_and_the_next_time_what_can_not_be_written_now(
        self,
        notes: Notes,
        database: Database,
        monkeypatch: pytest.MonkeyPatch,
        error: type[PlatformError],
        tried: int,
    ) -> None:
        asked: list[UUID] = []

        def away(scope: Scope) -> AbstractAsyncContextManager[AsyncSession]:
            asked.append(scope.organization_id)
            raise error("not now")

        notes.counter.note(Given(new_id(), DownloadKind.MODULE, new_id()), new_id(), b"")
        for _ in range(MOST_AT_ONCE + 1):
            notes.note(key_id=new_id())
        with monkeypatch.context() as patch:
            patch.setattr(database, "transaction", away)
            await notes.counter.write()
        # Who is busy is asked once for each organization; a database that is away is not asked again and again.
        assert (len(asked), len(set(asked))) == (tried, tried)
        notes.note()
        await notes.counter.write()
        assert await notes.counted() == MOST_AT_ONCE + 2

    async def test_goes_on_after_what_nobody_foresaw(
        self, notes: Notes, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def broken(_: Scope) -> AbstractAsyncContextManager[AsyncSession]:
            raise RuntimeError("nobody foresaw this")

        notes.note()
        with monkeypatch.context() as patch, structlog.testing.capture_logs() as lines:
            patch.setattr(database, "transaction", broken)
            await notes.counter.write()
            await notes.counter.write()
        [line] = lines
        assert (line["event"], line["downloads"]) == ("downloads_not_counted", 1)
        notes.note()
        await notes.counter.write()
        assert await notes.counted() == 1

    async def test_counts_once_what_was_committed_when_nobody_heard_of_it(
        self, notes: Notes, postgresql: PostgreSQL
    ) -> None:
        way = LossyWay(postgresql.app_url)
        async with way.open():
            database = Database(way.url, postgresql.platform_url)
            notes.counter = DownloadCounter(database)
            notes.note()
            way.loses = True
            await notes.counter.write()
            assert (way.lost, await notes.counted()) == (1, 1)
            notes.note()
            way.loses = False
            await notes.counter.write()
            await database.close()
        assert await notes.counted() == 2

    async def test_leaves_out_what_one_organization_notes_without_end_and_counts_the_others(
        self, notes: Notes, stranger: Caller
    ) -> None:
        flooding = stranger.organization.id
        for _ in range(MOST_NOTED + 5):
            notes.counter.note(Given(flooding, DownloadKind.MODULE, new_id()), stranger.principal.key_id, b"")
        notes.note()
        with structlog.testing.capture_logs() as lines:
            await notes.counter.write()
        assert [(line["organization_id"], line["downloads"]) for line in lines] == [(str(flooding), 5)]
        assert await notes.counted() == 1


class TestRuns:
    async def test_are_counted_together_though_each_step_has_its_key(
        self, notes: Notes, services: Services, caller: Caller
    ) -> None:
        for _ in range(2):
            run_id, step_id = new_id(), new_id()
            drawn = await services.provisioning.run_keys.draw()
            await services.provisioning.run_keys.make(
                caller.scope,
                caller.principal.user_id,
                drawn,
                run_id=run_id,
                step_id=step_id,
                lifetime=timedelta(hours=1),
            )
            notes.note(key_id=step_id)
        notes.note()
        await notes.counter.write()
        shown = await notes.consumers()
        assert [(each.api_key_id, each.name, each.downloads) for each in shown][:1] == [(None, "runs", 2)]
        assert [each.api_key_id for each in shown[1:]] == [caller.principal.key_id]
        assert [each.id for each in await notes.consumers(after=shown[0].id)] == [caller.principal.key_id]


class TestTools:
    async def test_of_a_key_have_a_bounded_number_of_rows_whatever_it_sends(self, notes: Notes) -> None:
        for number in range(50_000):
            notes.note(agent=b"thought-of/%d.%d" % divmod(number, 1000))
            notes.note(agent=b"Terraform/%d.%d.0" % divmod(number, 1000))
        await notes.counter.write()
        tools = await notes.tools()
        assert (len(tools), len(set(tools)), await notes.counted()) == (MOST_TOOLS + 1, MOST_TOOLS + 1, 100_000)
        notes.note(agent=b"Terraform/9.9.9")
        await notes.counter.write()
        assert set(await notes.tools()) == set(tools)

    async def test_are_told_apart_anew_each_hour_and_for_each_key(self, database: Database) -> None:
        now = 0.0
        counter = DownloadCounter(database, lambda: now)
        given, key_id = Given(new_id(), DownloadKind.MODULE, new_id()), new_id()
        for minor in range(MOST_TOOLS + 1):
            counter.note(given, key_id, b"OpenTofu/1.%d" % minor)
        counter.note(given, new_id(), b"curl/8.5.0")
        now = 3600.0
        counter.note(given, key_id, b"Terraform/1.5.7")
        [noted] = counter._noted.values()
        tools = [note.tool for note in noted.values()]
        assert tools[MOST_TOOLS:] == ["other", "curl/8.5", "Terraform/1.5"]


class TestWriteForever:
    async def test_ended_in_the_middle_of_a_transaction_counts_all_of_it_once(
        self, notes: Notes, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        gate = Gate(database)
        monkeypatch.setattr(counter_module, "WRITE_SECONDS", 0)
        monkeypatch.setattr(database, "transaction", gate.transaction)
        notes.note()
        writing = asyncio.create_task(notes.counter.write_forever())
        await gate.begun.wait()
        notes.note()
        writing.cancel()
        await asyncio.sleep(0)
        gate.open.set()
        await asyncio.gather(writing, return_exceptions=True)
        monkeypatch.undo()
        assert await notes.counted() == 2

    async def test_counts_at_the_end_also_what_was_noted_while_the_database_was_away(
        self, notes: Notes, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def away(_: Scope) -> AbstractAsyncContextManager[AsyncSession]:
            raise Unavailable("the database does not answer")

        notes.note()
        with monkeypatch.context() as patch:
            patch.setattr(database, "transaction", away)
            await notes.counter.write()
        notes.note()
        writing = asyncio.create_task(notes.counter.write_forever())
        await asyncio.sleep(0)
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
        assert await notes.counted() == 2

    async def test_says_what_is_lost_when_it_ends_without_a_database(
        self, notes: Notes, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def away(_: Scope) -> AbstractAsyncContextManager[AsyncSession]:
            raise Unavailable("the database does not answer")

        monkeypatch.setattr(database, "transaction", away)
        notes.note()
        writing = asyncio.create_task(notes.counter.write_forever())
        await asyncio.sleep(0)
        with structlog.testing.capture_logs() as lines:
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)
        assert [(line["event"], line["downloads"]) for line in lines] == [("downloads_not_counted", 1)]
