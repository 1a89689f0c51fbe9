"""The two roles that servers log in as: made by the owner, before the first migration names them."""

from psycopg import sql
from sqlalchemy import Connection, create_engine, make_url, pool, text

from storage.database import APP_ROLE, PLATFORM_ROLE


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
    # ALTER ROLE takes no parameters; psycopg quotes the literal.
    statement = sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(role), sql.Literal(str(password)))
    connection.execute(text(statement.as_string().replace(":", "\\:")))
