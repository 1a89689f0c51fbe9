"""The schema: models and migrations agree, changes can be taken back, and no table stands open."""

from collections.abc import Iterator
from uuid import UUID

import pytest
from alembic import command
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.exc import IntegrityError, ProgrammingError
from sqlalchemy.ext.asyncio import AsyncEngine

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
WITHOUT_ROW_LEVEL_SECURITY = {"organization", "user", "alembic_version", "worker", "blob", "blob_store", "tick"}


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


class TestVerifications:
    def test_what_was_published_before_has_its_evidence_as_the_first(self, empty_url: str) -> None:
        configured = configuration(empty_url)
        command.upgrade(configured, "0004")
        engine = create_engine(empty_url)
        with engine.begin() as connection:
            for statement in A_RELEASE:
                connection.execute(text(statement), {"id": RELEASE_ID, "sums": "a" * 64, "zip": "b" * 64})
        command.upgrade(configured, "0005")
        with engine.connect() as connection:
            [row] = connection.execute(text("SELECT * FROM verification"))
        engine.dispose()
        assert (row.organization_id, row.provider_version_id, row.result) == (RELEASE_ID, RELEASE_ID, "verified")
        assert (row.code, row.checked_by, row.evidence) == (None, {"gpg": "2.2"}, {"verified_by": {"gpg": "2.2"}})
        assert [VerifiedFile.model_validate(each) for each in row.files] == [
            VerifiedFile(name=name, sha256=sha256, found_sha256=sha256)
            for name, sha256 in (
                ("terraform-provider-time_1.0.0_SHA256SUMS", "a" * 64),
                ("terraform-provider-time_1.0.0_SHA256SUMS.sig", "a" * 64),
                ("time.zip", "b" * 64),
            )
        ]


class TestPlatforms:
    def test_stand_in_the_rows_of_releases_that_were_there(self, empty_url: str) -> None:
        configured = configuration(empty_url)
        command.upgrade(configured, "0008")
        engine = create_engine(empty_url)
        given = {"id": RELEASE_ID, "sums": "a" * 64, "zip": "b" * 64}
        with engine.begin() as connection:
            for statement in (*A_RELEASE, A_RELEASE[-1].replace("amd64", "386")):
                connection.execute(text(statement), given)
        command.upgrade(configured, "0009")
        with engine.connect() as connection:
            assert connection.scalars(text("SELECT platforms FROM provider_version")).all() == [
                ["linux_386", "linux_amd64"]
            ]
        engine.dispose()


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
