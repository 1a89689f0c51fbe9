"""The schema: models and migrations agree, changes can be taken back, and no table stands open."""

from collections.abc import Iterator

import pytest
from alembic import command
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.exc import IntegrityError, ProgrammingError
from sqlalchemy.ext.asyncio import AsyncEngine

from integrations.embedded.postgresql import PostgreSQL
from storage.database import APP_ROLE, PLATFORM_ROLE, Database
from storage.migrations.checks import replace_check
from storage.migrations.upgrade import configuration, current, head, upgrade
from tests.factories.organizations import Caller
from tools.definitions import of_migrations_and_models

pytestmark = pytest.mark.servers

WITHOUT_ROW_LEVEL_SECURITY = {"organization", "user", "alembic_version", "worker", "blob", "tick"}


@pytest.fixture
def empty_url(postgresql: PostgreSQL) -> str:
    """Make a database of the test's own, without a schema."""
    engine = create_engine(postgresql.owner_url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text("DROP DATABASE IF EXISTS round_trip"))
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
