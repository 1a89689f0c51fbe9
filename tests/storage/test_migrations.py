"""The schema: models and migrations agree, changes can be taken back, and no table stands open."""

import pytest
from alembic import command
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.ext.asyncio import AsyncEngine

from integrations.embedded.postgresql import PostgreSQL
from storage.database import APP_ROLE, PLATFORM_ROLE, Database
from storage.migrations.metadata import METADATA
from storage.migrations.upgrade import configuration, current, head
from tests.factories.organizations import Caller

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


def definitions(connection: Connection) -> dict[tuple[str, str], str]:
    """Read the constraints and indexes of the first schema in the path, as PostgreSQL writes them."""
    constraints = text("""
        SELECT conrelid::regclass::text, conname, pg_get_constraintdef(pg_constraint.oid)
        FROM pg_constraint JOIN pg_class ON pg_class.oid = conrelid
        WHERE connamespace = current_schema()::regnamespace AND contype <> 'n' AND NOT relispartition
    """)
    indexes = text("""
        SELECT tablename, indexname, replace(indexdef, schemaname || '.', '') FROM pg_indexes
        WHERE schemaname = current_schema() AND tablename NOT LIKE 'audit_event_%'
    """)
    found = [*connection.execute(constraints), *connection.execute(indexes)]
    return {(table, name): definition for table, name, definition in found if table != "alembic_version"}


class TestUpgrade:
    def test_goes_up_down_and_up_again_and_matches_the_models(self, empty_url: str) -> None:
        configured = configuration(empty_url)
        command.upgrade(configured, "head")
        command.check(configured)
        command.downgrade(configured, "base")
        command.upgrade(configured, "head")
        assert current(empty_url) == head()

    def test_what_tables_refuse_is_what_the_models_say(self, empty_url: str) -> None:
        command.upgrade(configuration(empty_url), "head")
        engine = create_engine(empty_url)
        with engine.begin() as connection:
            of_migrations = definitions(connection)
            connection.execute(text("CREATE SCHEMA made"))
            connection.execute(text("SET search_path TO made"))
            METADATA.create_all(connection)
            of_models = definitions(connection)
        engine.dispose()
        assert len(of_models) > 100
        assert of_migrations == of_models


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
