"""The two roles that servers log in as: made by the owner, before the first migration names them."""

from typing import Final

from psycopg import sql
from psycopg.pq.abc import PGconn
from sqlalchemy import Connection, create_engine, make_url, pool, text

from storage.database import APP_ROLE, PLATFORM_ROLE

ADVISORY_LOCK: Final = 0x6777726F6C65  # any number that nobody else takes


def ensure_roles(owner_url: str, *server_urls: str) -> None:
    """Make the roles where they are missing, and give them the passwords that the servers' URLs hold.

    Both are NOBYPASSRLS and own nothing. An owner that may not make roles (a managed database) leaves them as
    an administrator made them.

    Raises:
        RuntimeError: a role is missing and the owner may not make it.
    """
    engine = create_engine(owner_url, poolclass=pool.NullPool, hide_parameters=True, isolation_level="AUTOCOMMIT")
    urls = {url.username: url.password for url in map(make_url, server_urls)}
    with engine.connect() as connection:
        # Two at once would change the same rows of the catalog; the lock is let go with the connection.
        connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": ADVISORY_LOCK})
        may = connection.execute(
            text("SELECT rolcreaterole OR rolsuper FROM pg_roles WHERE rolname = current_user")
        ).scalar_one()
        for role in (APP_ROLE, PLATFORM_ROLE):
            there = connection.execute(
                text("SELECT 1 FROM pg_roles WHERE rolname = :role"), {"role": role}
            ).scalar()
            if not there and not may:
                raise RuntimeError(f"the role {role} is missing: make it, or let the owner create roles")
            if not there:
                connection.execute(text(f"CREATE ROLE {role} LOGIN NOBYPASSRLS"))
            if may and urls.get(role):
                _set_password(connection, role, urls[role])
    engine.dispose()


def _set_password(connection: Connection, role: str, password: object) -> None:
    """Set it as a verifier, so that neither an error nor the server's log ever shows it."""
    driver: PGconn = connection.connection.driver_connection.pgconn  # type: ignore[union-attr]
    verifier = driver.encrypt_password(str(password).encode(), role.encode(), b"scram-sha-256").decode()
    statement = sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(role), sql.Literal(verifier))
    connection.execute(text(statement.as_string().replace(":", "\\:")))  # ALTER ROLE takes no parameters
