"""A database of a test's own, on the server that all tests share."""

from collections.abc import Iterator
from uuid import uuid4

import psycopg
import pytest

from integrations.embedded.postgresql import OWNER, SUPERUSER, PostgreSQL


@pytest.fixture
def empty_database(postgresql: PostgreSQL) -> Iterator[str]:
    """Make a database that nothing has migrated, owned by who migrates; give its name.

    Only a superuser may drop it while autovacuum, or a session that has not quite ended, is still there.
    """
    name = f"empty_{uuid4().hex}"
    with psycopg.connect(postgresql.url(SUPERUSER).replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} OWNER {OWNER}".encode())
        yield name
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())
