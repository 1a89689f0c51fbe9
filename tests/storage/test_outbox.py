"""One undelivered wake per workflow, and no news lost, whoever delivers and asks at the same time."""

import asyncio
from datetime import timedelta

import pytest
from pydantic import BaseModel
from sqlalchemy import text

from domain.ids import new_id
from domain.long_work import Priority, Wake
from storage import outbox
from storage.database import Database
from storage.outbox import OutboxRow
from tests.factories.organizations import Caller

pytestmark = [pytest.mark.servers, pytest.mark.usefixtures("no_other_runs")]

LEASE = timedelta(seconds=30)


class Reference(BaseModel):
    """What a workflow is started with."""

    news: int = 0


def a_wake(workflow_id: str, *, news: int = 0, priority: Priority = Priority.PLAN) -> Wake:
    return Wake(
        workflow="area.do",
        workflow_id=workflow_id,
        task_queue="control",
        input=Reference(news=news),
        area="area",
        resource_id=workflow_id,
        summary=f"news {news}",
        priority=priority,
    )


@pytest.fixture
def workflow_id() -> str:
    return f"thing:{new_id()}"


class Outbox:
    """The queries, each in a transaction, as use cases and the dispatcher call them."""

    def __init__(self, database: Database, caller: Caller) -> None:
        self.database = database
        self.caller = caller

    async def ask(self, wake: Wake) -> None:
        async with self.database.transaction(self.caller.scope) as session:
            await outbox.enqueue(session, self.caller.scope, wake)

    async def claim(self) -> list[OutboxRow]:
        async with self.database.platform("claim") as session:
            return await outbox.claim_due(session, limit=100, lease=LEASE)

    async def settle(self, rows: list[OutboxRow]) -> None:
        async with self.database.platform("settle") as session:
            await outbox.settle(session, rows)

    async def postpone(self, row: OutboxRow) -> None:
        async with self.database.platform("postpone") as session:
            await outbox.postpone(session, row, row.attempts, timedelta(minutes=5), "no")

    async def waiting(self) -> list[str]:
        async with self.database.transaction(self.caller.scope) as session:
            return list(await session.scalars(text("SELECT workflow_id FROM outbox ORDER BY workflow_id")))


@pytest.fixture
def box(database: Database, caller: Caller) -> Outbox:
    return Outbox(database, caller)


class TestEnqueue:
    async def test_asking_again_keeps_one_wake_the_newest(self, box: Outbox, workflow_id: str) -> None:
        await box.ask(a_wake(workflow_id, news=1, priority=Priority.CANCEL))
        await box.ask(a_wake(workflow_id, news=2, priority=Priority.DRIFT))
        assert await box.waiting() == [workflow_id]
        [row] = await box.claim()
        assert (row.input, row.summary, row.priority) == ({"news": 2}, "news 2", Priority.CANCEL)

    async def test_many_at_once_make_one(self, box: Outbox, workflow_id: str) -> None:
        await asyncio.gather(*(box.ask(a_wake(workflow_id, news=news)) for news in range(20)))
        assert len(await box.claim()) == 1

    async def test_organizations_do_not_share_a_wake(
        self, box: Outbox, database: Database, stranger: Caller, workflow_id: str
    ) -> None:
        await box.ask(a_wake(workflow_id))
        await Outbox(database, stranger).ask(a_wake(workflow_id))
        assert len(await box.claim()) == 2

    async def test_a_wake_that_was_put_off_is_due_at_once_when_there_is_news(
        self, box: Outbox, workflow_id: str
    ) -> None:
        await box.ask(a_wake(workflow_id))
        [row] = await box.claim()
        await box.postpone(row)
        assert await box.claim() == []
        await box.ask(a_wake(workflow_id))
        [again] = await box.claim()
        assert again.attempts == 2  # it has failed before, so it waits longer if it fails again

    async def test_what_waits_keeps_its_place(self, box: Outbox, workflow_id: str) -> None:
        await box.ask(a_wake(workflow_id))
        await box.ask(a_wake(other := f"thing:{new_id()}"))
        await box.ask(a_wake(workflow_id))
        assert [row.workflow_id for row in await box.claim()] == [workflow_id, other]


class TestNewsDuringADelivery:
    async def test_is_delivered_after_it(self, box: Outbox, workflow_id: str) -> None:
        await box.ask(a_wake(workflow_id))
        claimed = await box.claim()
        await box.ask(a_wake(workflow_id))
        await box.settle(claimed)
        assert len(await box.claim()) == 1

    async def test_is_not_put_off_with_a_delivery_that_failed(self, box: Outbox, workflow_id: str) -> None:
        await box.ask(a_wake(workflow_id))
        [claimed] = await box.claim()
        await box.ask(a_wake(workflow_id))
        await box.postpone(claimed)
        assert len(await box.claim()) == 1

    async def test_is_kept_while_its_transaction_is_still_open_and_holds_nobody_up(
        self, box: Outbox, workflow_id: str
    ) -> None:
        await box.ask(a_wake(workflow_id))
        claimed = await box.claim()
        async with box.database.transaction(box.caller.scope) as session:
            await outbox.enqueue(session, box.caller.scope, a_wake(workflow_id))
            async with asyncio.timeout(2):
                await box.settle(claimed)
                await box.postpone(claimed[0])
        assert len(await box.claim()) == 1

    async def test_is_not_delivered_before_its_transaction_commits(self, box: Outbox, workflow_id: str) -> None:
        await box.ask(a_wake(workflow_id))
        async with box.database.transaction(box.caller.scope) as session:
            await outbox.enqueue(session, box.caller.scope, a_wake(workflow_id))
            assert await box.claim() == []
        assert len(await box.claim()) == 1

    async def test_of_many_writers_and_dispatchers_the_last_word_is_always_delivered(
        self, box: Outbox, workflow_id: str
    ) -> None:
        """Each writer commits a number with a wake; each delivery reads the number, as a woken workflow does."""
        organization = {"id": box.caller.organization.id}
        add = text("UPDATE organization SET display_name = display_name::int + 1 WHERE id = :id")
        look = text("SELECT display_name::int FROM organization WHERE id = :id")
        async with box.database.platform("begin") as session:
            await session.execute(text("UPDATE organization SET display_name = '0' WHERE id = :id"), organization)
        seen = [0]
        done = asyncio.Event()

        async def write() -> None:
            async with box.database.platform("write") as session:
                await session.execute(add, organization)
                await outbox.enqueue(session, box.caller.scope, a_wake(workflow_id))

        async def deliver() -> None:
            while not done.is_set():
                if rows := await box.claim():
                    async with box.database.platform("read") as session:
                        seen.append((await session.scalars(look, organization)).one())
                    await box.settle(rows)

        async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
            for _ in range(3):
                tasks.create_task(deliver())
            for last in range(3, 61, 3):
                await asyncio.gather(*(write() for _ in range(3)))
                while await box.waiting():
                    pass
                assert max(seen) == last
            done.set()
