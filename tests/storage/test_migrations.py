"""The schema: models and migrations agree, changes can be taken back, and no table stands open."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event
from uuid import UUID, uuid4

import pytest
from alembic import command
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.exc import IntegrityError, ProgrammingError
from sqlalchemy.ext.asyncio import AsyncEngine

from domain.errors import Busy
from domain.registry.verifications import VerifiedFile
from integrations.embedded.postgresql import PostgreSQL
from storage.database import APP_ROLE, PLATFORM_ROLE, Database
from storage.migrations.checks import replace_check
from storage.migrations.upgrade import configuration, current, head, upgrade
from tests.factories.organizations import Caller
from tools.definitions import of_migrations_and_models

pytestmark = pytest.mark.servers

RELEASE_ID = UUID("01932b0c-0000-7000-8000-000000000000")
A_RELEASE = (
    "INSERT INTO organization (id, slug, display_name, status) VALUES (:id, 'acme', 'Acme', 'active')",
    "INSERT INTO namespace (name, id, organization_id, skeleton) VALUES ('acme', :id, :id, 'acme')",
    (
        "INSERT INTO gpg_key (organization_id, id, namespace, fingerprint, key_id, subkeys, user_ids, "
        "ascii_armor) VALUES (:id, :id, 'acme', 'f', 'k', '{}', '{}', 'a')"
    ),
    "INSERT INTO blob (sha256, size) VALUES (:sums, 1), (:zip, 1)",
    "INSERT INTO provider (organization_id, id, namespace, type) VALUES (:id, :id, 'acme', 'time')",
    (
        "INSERT INTO provider_version (organization_id, id, provider_id, version, protocols, gpg_key_id, "
        "checksums_sha256, signature_sha256, evidence, published_by) "
        """VALUES (:id, :id, :id, '1.0.0', '{}', :id, :sums, :sums, '{"verified_by": {"gpg": "2.2"}}', '{}')"""
    ),
    (
        "INSERT INTO provider_platform (organization_id, provider_version_id, os, arch, filename, sha256, "
        "size, h1) VALUES (:id, :id, 'linux', 'amd64', 'time.zip', :zip, 1, 'h1:')"
    ),
)
A_MODULE = (
    (
        "INSERT INTO module (organization_id, id, namespace, name, system, description) "
        "VALUES (:id, :id, 'acme', 'web-server', 'aws', 'Serves.')"
    ),
    (
        "INSERT INTO module_version (organization_id, id, module_id, version, format, sha256, size, description, "
        "published_by) VALUES (:id, :id, :id, '1.0.0', 'zip', :zip, 1, '', '{}')"
    ),
)
GIVEN = {"id": RELEASE_ID, "sums": "a" * 64, "zip": "b" * 64}
ANOTHER_RELEASE = tuple(
    statement.replace(":id, :id, :id, '1.0.0'", ":id, :new_id, :id, :version").replace(
        "VALUES (:id, :id, 'linux'", "VALUES (:id, :new_id, 'linux'"
    )
    for statement in A_RELEASE[-2:]
)
WITHOUT_ROW_LEVEL_SECURITY = {"organization", "user", "alembic_version", "worker", "blob", "blob_store", "tick"}


class Servers:
    """What servers of the release before do while a database is migrated."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.stopped = Event()
        self.published = 0
        self.was_read = 0

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Go on during the block; what fails in them fails here."""
        with ThreadPoolExecutor(2) as threads:
            going = [threads.submit(self.publish), threads.submit(self.read)]
            try:
                yield
            finally:
                self.stopped.set()
        for each in going:
            each.result()
        self.engine.dispose()

    def publish(self) -> None:
        while not self.stopped.is_set():
            with self.engine.begin() as connection:
                given = GIVEN | {"new_id": uuid4(), "version": f"2.0.{self.published}"}
                for statement in ANOTHER_RELEASE:
                    connection.execute(text(statement), given)
            self.published += 1

    def read(self) -> None:
        while not self.stopped.is_set():
            with self.engine.begin() as connection:
                connection.execute(text("SELECT id, version, evidence, yanked_at FROM provider_version")).all()
            self.was_read += 1

    def expect_more(self) -> None:
        """Wait until more was read and published."""
        published, was_read = self.published, self.was_read
        until = time.monotonic() + 10
        while not (self.published > published and self.was_read > was_read):
            assert time.monotonic() < until
            time.sleep(0.01)


@pytest.fixture
def empty_url(postgresql: PostgreSQL) -> str:
    """Make a database of the test's own, without a schema."""
    engine = create_engine(postgresql.owner_url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text("DROP DATABASE IF EXISTS round_trip WITH (FORCE)"))
        connection.execute(text("CREATE DATABASE round_trip"))
    engine.dispose()
    return postgresql.url("groundwork_owner", "round_trip")


class TestUpgrade:
    def test_goes_up_down_and_up_again_and_matches_the_models(self, empty_url: str) -> None:
        configured = configuration(empty_url)
        command.upgrade(configured, "head")
        command.check(configured)
        command.downgrade(configured, "base")
        command.upgrade(configured, "head")
        assert current(empty_url) == head()

    def test_makes_the_audit_partitions_that_fell_due_meanwhile(self, empty_url: str) -> None:
        upgrade(empty_url)
        engine = create_engine(empty_url)
        partitions = text("SELECT relname FROM pg_class WHERE relispartition AND relkind = 'r' ORDER BY relname")
        with engine.begin() as connection:
            made = connection.scalars(partitions).all()
            connection.execute(text(f"DROP TABLE {made[0]}"))
        upgrade(empty_url)
        with engine.connect() as connection:
            assert connection.scalars(partitions).all() == made
        engine.dispose()

    def test_what_tables_refuse_is_what_the_models_say(self, empty_url: str) -> None:
        command.upgrade(configuration(empty_url), "head")
        of_migrations, of_models = of_migrations_and_models(empty_url)
        assert len(of_models) > 100
        assert of_migrations == of_models


class TestRowsOfTheReleaseBefore:
    @pytest.fixture
    def engine(self, empty_url: str) -> Iterator[Engine]:
        command.upgrade(configuration(empty_url), "0004")
        engine = create_engine(empty_url)
        with engine.begin() as connection:
            for statement in (*A_RELEASE, A_RELEASE[-1].replace("amd64", "386"), *A_MODULE):
                connection.execute(text(statement), GIVEN)
        yield engine
        engine.dispose()

    def test_get_what_they_lack(self, engine: Engine, empty_url: str) -> None:
        assert upgrade(empty_url) == "0004"
        with engine.connect() as connection:
            [row] = connection.execute(text("SELECT * FROM verification"))
            platforms = connection.scalars(text("SELECT platforms FROM provider_version")).all()
            words = set(connection.scalars(text("SELECT word FROM module_word")))
            documents = connection.execute(text("SELECT module_version_id, state FROM module_documents")).all()
        assert platforms == [["linux_386", "linux_amd64"]]
        assert words == {"acme", "web", "server", "aws", "serves"}
        assert documents == [(RELEASE_ID, "pending")]
        assert (row.organization_id, row.provider_version_id, row.result) == (RELEASE_ID, RELEASE_ID, "verified")
        assert (row.code, row.checked_by, row.evidence) == (None, {"gpg": "2.2"}, {"verified_by": {"gpg": "2.2"}})
        assert [VerifiedFile.model_validate(each) for each in row.files] == [
            VerifiedFile(name=name, sha256=sha256, found_sha256=sha256)
            for name, sha256 in (
                ("terraform-provider-time_1.0.0_SHA256SUMS", "a" * 64),
                ("terraform-provider-time_1.0.0_SHA256SUMS.sig", "a" * 64),
                ("time.zip", "b" * 64),
                ("time.zip", "b" * 64),
            )
        ]

    def test_can_be_read_and_written_by_its_servers_all_the_time(self, engine: Engine, empty_url: str) -> None:
        servers = Servers(create_engine(empty_url, connect_args={"options": "-c lock_timeout=5s"}))
        with servers.at_work():
            with engine.begin() as stays_open:
                stays_open.execute(text("SELECT count(*) FROM provider_version"))
                with pytest.raises(Busy, match="a transaction that stays open"):
                    upgrade(empty_url)
                servers.expect_more()
            upgrade(empty_url)
            servers.expect_more()
        upgrade(empty_url)
        with engine.connect() as connection:
            [(published, filled)] = connection.execute(
                text("SELECT count(*), count(*) FILTER (WHERE platforms = '{linux_amd64}') FROM provider_version")
            )
            assert (published, filled) == (1 + servers.published, servers.published)
            assert connection.scalar(text("SELECT count(*) FROM verification")) == published

    def test_an_index_that_broke_off_is_built_anew(self, engine: Engine, empty_url: str) -> None:
        command.upgrade(configuration(empty_url), "0008")
        with engine.begin() as connection:  # as far as it may have come
            connection.execute(text("ALTER TABLE provider_version ADD platforms text[] NOT NULL DEFAULT '{}'"))
            connection.execute(text("CREATE INDEX ix_module_namespace ON module (id)"))
        upgrade(empty_url)
        of_migrations, of_models = of_migrations_and_models(empty_url)
        assert of_migrations == of_models


class TestDocuments:
    def test_of_what_was_published_without_a_row_are_read_too(self, empty_url: str) -> None:
        configured = configuration(empty_url)
        command.upgrade(configured, "0009")
        engine = create_engine(empty_url)
        with engine.begin() as connection:
            for statement in (*A_RELEASE, *A_MODULE):
                connection.execute(text(statement), GIVEN)
        upgrade(empty_url)
        with engine.begin() as connection:
            [row] = connection.execute(text("SELECT * FROM module_documents"))
            assert (row.module_version_id, row.state) == (RELEASE_ID, "pending")
            # As it stands where the release before is gone back to: it knows nothing of either.
            connection.execute(text("""UPDATE module_documents SET documents = '{}', reason = 'no tofu'"""))
        command.downgrade(configured, "0009")
        with engine.connect() as connection:
            [row] = connection.execute(text("SELECT * FROM module_documents"))
        engine.dispose()
        assert (row.state, row.documents, row.reason) == ("pending", None, None)


class TestReplaceCheck:
    @pytest.fixture
    def table(self, empty_url: str) -> Iterator[Connection]:
        engine = create_engine(empty_url)
        with engine.connect() as connection:
            connection.execute(
                text("CREATE TABLE thing (state text CONSTRAINT ck_thing_state CHECK (state = 'old'))")
            )
            connection.execute(text("INSERT INTO thing VALUES ('old')"))
            connection.commit()
            yield connection
        engine.dispose()

    def replace(self, connection: Connection, condition: str) -> None:
        context = MigrationContext.configure(connection)
        with context.begin_transaction(), Operations.context(context):
            replace_check("thing", "ck_thing_state", condition)

    def test_takes_the_place_of_the_old_one(self, table: Connection) -> None:
        self.replace(table, "state IN ('old', 'new')")
        table.execute(text("INSERT INTO thing VALUES ('new')"))
        table.commit()
        rules = "SELECT conname, convalidated FROM pg_constraint WHERE conrelid = 'thing'::regclass"
        assert table.execute(text(rules)).all() == [("ck_thing_state", True)]
        with pytest.raises(IntegrityError):
            table.execute(text("INSERT INTO thing VALUES ('other')"))

    def test_what_the_rows_break_leaves_the_old_one_and_can_be_run_again(self, table: Connection) -> None:
        with pytest.raises(IntegrityError):
            self.replace(table, "state = 'new'")
        table.rollback()
        with pytest.raises(IntegrityError):
            table.execute(text("INSERT INTO thing VALUES ('other')"))
        table.rollback()
        self.replace(table, "state IN ('old', 'new')")
        table.execute(text("INSERT INTO thing VALUES ('new')"))


class TestRights:
    async def test_every_table_with_an_organization_has_row_level_security_forced(
        self, owner: AsyncEngine
    ) -> None:
        async with owner.connect() as connection:
            found = await connection.execute(
                text("""
                    SELECT relname FROM pg_class
                    WHERE relkind IN ('r', 'p') AND NOT relispartition
                      AND relnamespace = 'public'::regnamespace AND NOT (relrowsecurity AND relforcerowsecurity)
                """)
            )
            assert {row.relname for row in found} <= WITHOUT_ROW_LEVEL_SECURITY

    async def test_the_servers_roles_bypass_nothing_and_own_nothing(self, owner: AsyncEngine) -> None:
        async with owner.connect() as connection:
            for role in (APP_ROLE, PLATFORM_ROLE):
                found = await connection.execute(
                    text(
                        "SELECT rolsuper, rolbypassrls, rolcreaterole, rolcreatedb "
                        "FROM pg_roles WHERE rolname = :r"
                    ),
                    {"r": role},
                )
                assert tuple(found.one()) == (False, False, False, False)
                owned = await connection.scalar(
                    text("SELECT count(*) FROM pg_class WHERE relowner = CAST(:r AS regrole)"), {"r": role}
                )
                assert owned == 0

    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE audit_event SET action = 'x'",
            "DELETE FROM audit_event",
            "TRUNCATE audit_event",
            "UPDATE verification SET result = result",
            "DELETE FROM verification",
            "SELECT count(*) FROM audit_event_default",
            "UPDATE organization SET display_name = 'x'",
            'SELECT email FROM "user"',
            "SELECT * FROM find_api_key('x')",
            "CREATE TABLE mine (id int)",
        ],
    )
    async def test_the_application_may_not(self, database: Database, caller: Caller, statement: str) -> None:
        with pytest.raises(ProgrammingError, match="permission denied"):
            async with database.transaction(caller.scope) as session:
                await session.execute(text(statement))

    async def test_no_organization_can_grant_itself_the_platform(self, database: Database, caller: Caller) -> None:
        with pytest.raises(ProgrammingError, match="row-level security"):
            async with database.transaction(caller.scope) as session:
                await session.execute(text("UPDATE role_grant SET scope_type = 'platform'"))
