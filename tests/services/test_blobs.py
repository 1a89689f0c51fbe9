"""The blob store as a whole: is it the right one, and is everything there?"""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Final, LiteralString

import psycopg
import pytest

from domain.blobs import BlobProblem, BlobStoreState
from domain.ids import new_id
from integrations.embedded.postgresql import APP, OWNER, PLATFORM, PostgreSQL
from services.blobs import Blobs
from services.operations import Operations
from services.registry.limits import RegistryLimits
from storage.blobs import index
from storage.blobs.local import LocalBlobStore
from storage.blobs.s3 import S3BlobStore
from storage.blobs.store import MARK, BlobStore, key_of
from storage.database import Database
from storage.migrations.upgrade import upgrade
from tests.fixtures.queries import counted_queries
from tests.fixtures.s3 import S3Server

pytestmark = pytest.mark.servers
NAME: Final = "blob_stores"
LONGEST: Final = 10.0


@pytest.fixture(scope="module")
async def own(postgresql: PostgreSQL) -> AsyncIterator[Database]:
    """Make a database that knows no blobs but those of these tests."""
    execute(postgresql.owner_url, f"CREATE DATABASE {NAME}")
    upgrade(postgresql.url(OWNER, NAME))
    made = Database(postgresql.url(APP, NAME), postgresql.url(PLATFORM, NAME))
    yield made
    await made.close()
    execute(postgresql.owner_url, f"DROP DATABASE {NAME} WITH (FORCE)")


@pytest.fixture
def database(own: Database, postgresql: PostgreSQL) -> Database:
    """Let that database know nothing yet."""
    execute(postgresql.url(OWNER, NAME), "TRUNCATE blob, blob_store CASCADE")
    return own


def execute(url: str, statement: LiteralString) -> None:
    """Do something as the database's owner."""
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(statement)


@pytest.fixture
def store(tmp_path: Path) -> LocalBlobStore:
    return LocalBlobStore(tmp_path / "blobs")


async def pieces(content: bytes) -> AsyncIterator[bytes]:
    yield content


async def put(database: Database, store: BlobStore) -> str:
    """Store a blob and let the database know it."""
    sha256, size = await store.put(pieces(new_id().bytes), limit=100)
    async with database.platform("note a blob") as session:
        await index.add(session, {sha256: size})
    return sha256


class TestSettle:
    async def test_marks_a_new_store_once_however_many_start(
        self, database: Database, store: LocalBlobStore, tmp_path: Path
    ) -> None:
        blobs = Blobs(database, store)
        assert await blobs.look() is BlobStoreState.UNMARKED
        started = await asyncio.gather(*(Blobs(database, store).settle() for _ in range(5)))
        assert set(started) == {BlobStoreState.OK}
        async with database.platform("read the mark") as session:
            assert await index.mark(session) == (tmp_path / "blobs" / MARK).read_text()
        assert await blobs.look() is BlobStoreState.OK

    async def test_takes_an_empty_store_for_wrong_once_there_are_blobs(
        self, database: Database, store: LocalBlobStore, tmp_path: Path
    ) -> None:
        await Blobs(database, store).settle()
        await put(database, store)
        empty = Blobs(database, LocalBlobStore(tmp_path / "other"))
        for _ in range(2):
            assert await empty.settle() is BlobStoreState.EMPTY
        assert not (tmp_path / "other" / MARK).exists()

    async def test_takes_no_store_for_right_that_is_marked_as_anothers(
        self, database: Database, store: LocalBlobStore
    ) -> None:
        await Blobs(database, store).settle()
        await store.write_mark("another")
        assert await Blobs(database, store).settle() is BlobStoreState.ANOTHER

    @pytest.mark.parametrize("is_known", [False, True])
    async def test_marks_one_with_blobs_of_the_database_that_has_no_mark(
        self, database: Database, store: LocalBlobStore, tmp_path: Path, *, is_known: bool
    ) -> None:
        blobs = Blobs(database, store)
        if is_known:
            await blobs.settle()
            (tmp_path / "blobs" / MARK).unlink()
        kept, lost = [await put(database, store) for _ in range(2)]
        await store.delete(lost)
        assert await blobs.settle() is BlobStoreState.OK
        assert (tmp_path / "blobs" / MARK).exists()
        await store.delete(kept)
        assert await blobs.look() is BlobStoreState.OK, "it is the right one, whatever it has lost"

    async def test_a_store_that_does_not_answer_is_away(
        self, database: Database, store: LocalBlobStore, tmp_path: Path
    ) -> None:
        (tmp_path / "blobs").rename(tmp_path / "unmounted")
        assert await Blobs(database, store).settle() is BlobStoreState.AWAY

    async def test_marks_one_that_was_away_at_the_start_once_it_answers(
        self, database: Database, store: LocalBlobStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("services.blobs.SETTLES_AGAIN", 0)
        looked, settle = asyncio.Event(), Blobs.settle

        async def settle_seen(blobs: Blobs) -> BlobStoreState:
            state = await settle(blobs)
            looked.set()
            return state

        monkeypatch.setattr(Blobs, "settle", settle_seen)
        (tmp_path / "blobs").rename(tmp_path / "unmounted")
        settling = asyncio.create_task(Blobs(database, store).settle_soon())
        await looked.wait()
        (tmp_path / "unmounted").rename(tmp_path / "blobs")
        async with asyncio.timeout(LONGEST):
            await settling
        assert (tmp_path / "blobs" / MARK).exists()

    async def test_does_not_read_names_of_blobs_where_there_are_marks(
        self, database: Database, store: LocalBlobStore
    ) -> None:
        blobs = Blobs(database, store)
        await blobs.settle()
        with counted_queries(database) as statements:
            assert await blobs.look() is BlobStoreState.OK
        assert not any("FROM blob " in statement for statement in statements), statements

    async def test_marks_a_bucket(self, database: Database, s3: S3Server, tmp_path: Path) -> None:
        store = S3BlobStore(tmp_path, await s3.make_bucket(), gives_addresses=False)
        assert [await Blobs(database, store).settle() for _ in range(2)] == [BlobStoreState.OK] * 2
        other = S3BlobStore(tmp_path, await s3.make_bucket(), gives_addresses=False)
        await put(database, store)
        assert await Blobs(database, other).settle() is BlobStoreState.EMPTY


class TestReadiness:
    async def test_writes_nothing(self, database: Database, store: LocalBlobStore, tmp_path: Path) -> None:
        operations = Operations(database, Blobs(database, store), "registry.test", RegistryLimits())
        readiness = await operations.readiness()
        assert (readiness.ready, readiness.blobs) == (True, BlobStoreState.UNMARKED)
        assert not (tmp_path / "blobs" / MARK).exists()
        async with database.platform("read the mark") as session:
            assert await index.mark(session) is None

    async def test_fails_with_what_to_do_while_the_store_is_a_wrong_one(
        self, database: Database, store: LocalBlobStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("services.operations.REMEMBERED", 0)

        def over(store: BlobStore) -> Operations:
            return Operations(database, Blobs(database, store), "registry.test", RegistryLimits())

        right, wrong = over(store), over(LocalBlobStore(tmp_path / "other"))
        await Blobs(database, store).settle()
        assert (await right.readiness()).ready
        await put(database, store)
        health = await wrong.health()
        assert (health.readiness.ready, health.status) == (False, "unhealthy")
        assert any("mount the folder of the setting blobs.path" in sentence for sentence in health.advice)
        (tmp_path / "blobs").rename(tmp_path / "unmounted")
        away = await right.health()
        assert (away.readiness.ready, away.status) == (True, "degraded")
        assert any("does not answer" in sentence for sentence in away.advice)


class TestCheck:
    async def test_reads_every_blob_and_tells_of_each(
        self, database: Database, store: LocalBlobStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("services.blobs.PAGE", 2)
        names = [await put(database, store) for _ in range(5)]
        await store.delete(names[0])
        (tmp_path / "blobs" / key_of(names[1])).write_bytes(b"x")
        blobs = Blobs(database, store)
        found = [blob async for blob in blobs.check()]
        assert [blob.sha256 for blob in found] == sorted(names)
        assert {blob.sha256: blob.problem for blob in found if blob.problem} == {
            names[0]: BlobProblem.LOST,
            names[1]: BlobProblem.DAMAGED,
        }
        assert await blobs.count() == (5, 5 * 16)

    async def test_reads_as_many_as_are_wanted_or_there(
        self, database: Database, store: LocalBlobStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        blobs = Blobs(database, store)
        names = {await put(database, store) for _ in range(4)}
        begins: list[Callable[[], str]] = [lambda: "", lambda: sorted(names)[2], lambda: "f" * 64]
        for begin in begins:
            monkeypatch.setattr("services.blobs._anywhere", begin)
            for count in (1, 3, 4, 9):
                sampled = [blob.sha256 async for blob in blobs.sample(count)]
                assert len(sampled) == len(set(sampled)) == min(count, 4)
                assert set(sampled) <= names
