"""What becomes of PostgreSQL's errors: who has to wait, for what, and what the operator is told of it."""

import asyncio

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from domain.errors import Busy, Unavailable
from integrations.embedded.postgresql import PostgreSQL
from storage.database import Database

pytestmark = pytest.mark.servers


async def ask(database: Database, *statements: str) -> object:
    """Execute statements in one transaction; return what the last one tells."""
    told: object = None
    async with database.platform("a test") as session:
        for statement in statements:
            result = await session.execute(text(statement))
            told = result.scalar() if statement.startswith("SELECT") else None
    return told


def raising(sqlstate: str) -> str:
    return f"DO $$ BEGIN RAISE EXCEPTION 'said by a test' USING ERRCODE = '{sqlstate}'; END $$"


class TestUnavailable:
    async def test_a_database_that_takes_no_changes_is_away_and_its_connections_are_not_kept(
        self, postgresql: PostgreSQL
    ) -> None:
        database = Database(postgresql.app_url, postgresql.platform_url, pool_size=1)
        backend = await ask(database, "SELECT pg_backend_pid()")
        assert await ask(database, "SELECT pg_backend_pid()") == backend  # there is one, and it is kept
        with pytest.raises(Unavailable, match="takes no changes") as raised:
            await ask(database, "SET TRANSACTION READ ONLY", "DELETE FROM tick")
        assert (
            raised.value.reason == "25006 ReadOnlySqlTransaction: cannot execute DELETE in a read-only transaction"
        )
        assert await ask(database, "SELECT pg_backend_pid()") != backend
        await database.close()

    @pytest.mark.parametrize(
        ("sqlstate", "sentence"),
        [
            ("53100", "no room on its disk"),
            ("53200", "out of memory"),
            ("53300", "no more connections"),
            ("57P01", "is stopping"),
            ("57P02", "is stopping"),
            ("57P03", "is starting"),
        ],
    )
    async def test_what_keeps_a_database_from_answering_has_its_own_sentence(
        self, database: Database, sqlstate: str, sentence: str
    ) -> None:
        with pytest.raises(Unavailable, match=sentence) as raised:
            await ask(database, raising(sqlstate))
        assert not isinstance(raised.value, Busy)
        assert raised.value.reason.startswith(f"{sqlstate} ")
        assert raised.value.reason.endswith(": said by a test")
        assert raised.value.facts == {}  # they are shown to callers

    async def test_a_connection_that_was_ended_is_away(self, database: Database) -> None:
        with pytest.raises(Unavailable):
            await ask(database, "SELECT pg_terminate_backend(pg_backend_pid())")
        assert await ask(database, "SELECT 1") == 1

    async def test_a_wrong_password_is_named_in_the_reason_alone(self, postgresql: PostgreSQL) -> None:
        name, _, server = postgresql.app_url.partition("@")
        wrong = f"{name.rpartition(':')[0]}:guessed@{server}"
        database = Database(wrong, wrong)
        with pytest.raises(Unavailable, match="does not answer") as raised:
            await ask(database, "SELECT 1")
        await database.close()
        assert "password authentication failed" in raised.value.reason
        assert "guessed" not in raised.value.reason
        assert "password" not in raised.value.detail

    async def test_a_pool_that_is_used_up_says_so(
        self, postgresql: PostgreSQL, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("storage.database.POOL_SECONDS", 0.05)
        small = Database(postgresql.app_url, postgresql.platform_url, pool_size=1)
        async with small.platform("the first"), small.platform("what overflows"):
            with pytest.raises(Unavailable, match="connections of this process"):
                await ask(small, "SELECT 1")
        await small.close()

    async def test_any_other_error_is_none(self, database: Database) -> None:
        with pytest.raises(ProgrammingError):
            await ask(database, "SELECT * FROM nothing")


class TestBusy:
    @pytest.mark.parametrize("statement", [raising("40P01"), "SET LOCAL statement_timeout = 1", "lock"])
    async def test_a_database_that_answers_that_somebody_has_to_wait_is_not_away(
        self, database: Database, statement: str
    ) -> None:
        async with database.platform("holds a lock") as session:
            await session.execute(text("LOCK TABLE tick IN ROW EXCLUSIVE MODE"))
            waits = ["SET LOCAL lock_timeout = 1", "LOCK TABLE tick IN SHARE ROW EXCLUSIVE MODE"]
            with pytest.raises(Busy) as raised:
                await ask(database, *(waits if statement == "lock" else [statement, "SELECT pg_sleep(1)"]))
        assert raised.value.reason

    async def test_an_error_of_the_use_case_itself_passes(self, database: Database) -> None:
        with pytest.raises(asyncio.CancelledError):
            async with database.platform("a test"):
                raise asyncio.CancelledError
