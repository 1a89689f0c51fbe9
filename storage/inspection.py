"""What `groundwork doctor` asks of the database as a whole."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, create_engine, pool, text

CONNECT_SECONDS: Final = 3


@dataclass(frozen=True, slots=True)
class RoleFacts:
    """What a role is and may do."""

    name: str
    superuser: bool
    bypasses_row_security: bool
    owns_tables: bool
    server_version: int
    """As PostgreSQL counts: 180004 is 18.4."""


def role_facts(url: str) -> RoleFacts:
    """Tell what the role of an address is."""
    query = text(
        """
        SELECT rolname, rolsuper, rolbypassrls,
               EXISTS (SELECT FROM pg_class WHERE relowner = r.oid AND relnamespace = 'public'::regnamespace),
               current_setting('server_version_num')::int
        FROM pg_roles AS r WHERE rolname = current_user
        """
    )
    with _connected(url) as connection:
        return RoleFacts(*connection.execute(query).one())


def default_partition_bytes(url: str) -> int:
    """Tell how big the partition of audit rows is that no month's partition took; any role may ask."""
    with _connected(url) as connection:
        return int(connection.execute(text("SELECT pg_relation_size('audit_event_default')")).scalar_one())


def has_only_asynchronous_standbys(url: str) -> bool:
    """Tell whether a failover could lose what was committed."""
    query = text(
        "SELECT current_setting('synchronous_standby_names') = '' AND EXISTS (SELECT FROM pg_stat_replication)"
    )
    with _connected(url) as connection:
        return bool(connection.execute(query).scalar_one())


def clock_ahead(url: str) -> float:
    """Tell by how many seconds the database's clock is ahead of this machine's."""
    with _connected(url) as connection:
        before = time.time()
        theirs = float(connection.execute(text("SELECT extract(epoch FROM clock_timestamp())")).scalar_one())
        return theirs - (before + time.time()) / 2


def connections(url: str) -> tuple[int, int]:
    """Tell how many connections are taken, and how many there are for who is no superuser."""
    query = text(
        """
        SELECT (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'),
               current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
        """
    )
    with _connected(url) as connection:
        taken, most = connection.execute(query).one()
        return int(taken), int(most)


@contextmanager
def _connected(url: str) -> Iterator[Connection]:
    engine = create_engine(
        url, poolclass=pool.NullPool, hide_parameters=True, connect_args={"connect_timeout": CONNECT_SECONDS}
    )
    with engine.connect() as connection:
        yield connection
