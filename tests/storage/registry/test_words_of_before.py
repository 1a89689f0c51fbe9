"""Modules that were published before there were words to find them by."""

from collections.abc import Iterator

import pytest
from alembic import command
from sqlalchemy import create_engine, text

from domain.registry.search import words_in
from integrations.embedded.postgresql import PostgreSQL
from storage.migrations.upgrade import configuration

pytestmark = pytest.mark.servers

DESCRIPTION = "Caf\u00e9-Networks; \u00dcBER_all " + "x" * 70
FILL = (
    """
    INSERT INTO organization (id, slug, display_name, status)
    VALUES ('00000000-0000-7000-8000-000000000001', 'acme', 'Acme', 'active')
    """,
    """
    INSERT INTO namespace (name, id, organization_id, skeleton)
    SELECT 'acme', gen_random_uuid(), id, 'acme' FROM organization
    """,
    """
    INSERT INTO module (organization_id, id, namespace, name, system, description)
    SELECT id, gen_random_uuid(), 'acme', 'web-server_v2', 'aws', :description FROM organization
    """,
)


@pytest.fixture
def empty_url(postgresql: PostgreSQL) -> Iterator[str]:
    engine = create_engine(postgresql.owner_url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text("CREATE DATABASE words_of_before"))
        yield postgresql.url("groundwork_owner", "words_of_before")
        connection.execute(text("DROP DATABASE words_of_before WITH (FORCE)"))
    engine.dispose()


class TestUpgrade:
    def test_gives_them_the_words_that_publishing_would(self, empty_url: str) -> None:
        configured = configuration(empty_url)
        command.upgrade(configured, "0006")
        command.downgrade(configured, "-1")
        engine = create_engine(empty_url)
        with engine.begin() as connection:
            for statement in FILL:
                used = {"description": DESCRIPTION} if ":description" in statement else {}
                connection.execute(text(statement), used)
        command.upgrade(configured, "0006")
        with engine.connect() as connection:
            found = set(connection.scalars(text("SELECT word FROM module_word")))
        engine.dispose()
        assert found == words_in("acme", "web-server_v2", "aws", DESCRIPTION)
