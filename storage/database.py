"""The ways into PostgreSQL: a transaction for one organization, and one for the platform itself or its probes."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, Final, TypeVar

import psycopg
from sqlalchemy import DateTime, ExceptionContext, MetaData, Select, event, inspect, literal_column, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase

from domain.errors import Busy, Unavailable
from domain.scope import Scope

LONGEST_TRANSACTION: Final = 8  # seconds; below the shortest timeout of whoever waits for one
POOL_SECONDS: Final = 5.0
"""How long a transaction waits for one of the process's connections."""
PROBES: Final = 3
"""Connections beside the pools, for those who look how it goes: readiness, health and metrics, one each."""
NO_ANSWER: Final = "the database does not answer"
AWAY: Final = {
    "25006": "the database takes no changes now, it is read-only",  # a former primary, or out of storage
    "53100": "the database has no room on its disk",
    "53200": "the database is out of memory",
    "53300": "the database takes no more connections",
    "57P01": "the database is stopping",
    "57P02": "the database is stopping",
    "57P03": "the database is starting",
}
"""By SQLSTATE, what is said of a database that does nothing for anybody. Until a connection is made there is no
SQLSTATE, and the message alone, in the server's language, tells more than NO_ANSWER."""
BUSY: Final = frozenset({"40001", "40P01", "55P03", "57014"})
"""SQLSTATEs of conflicts, deadlocks, and locks and statements that were waited for too long."""
APP_ROLE: Final = "groundwork_app"
PLATFORM_ROLE: Final = "groundwork_platform"

_NOW: Final = "now"

Locked = TypeVar("Locked", bound=Select[*tuple[Any, ...]])
Session = AsyncSession
"""What a transaction is worked in. Services pass it on to queries and know nothing else of SQLAlchemy."""


class Base(DeclarativeBase):
    """Root of all tables. Rows stay inside a service's transaction; what leaves is the noun in domain."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {datetime: DateTime(timezone=True)}  # noqa: RUF012  SQLAlchemy's name for it
    __mapper_args__ = {"eager_defaults": True}  # noqa: RUF012  what the database fills in is read back


class Database:
    """Opens transactions, each one use case; only services and the dispatcher call it."""

    def __init__(self, app_url: str, platform_url: str, *, pool_size: int = 10) -> None:
        """Take the addresses of two roles: `app`, held to an organization, and `platform`, to tables."""
        self._app = _engine(app_url, pool_size)
        self._platform = _engine(platform_url, pool_size)
        self._probes = _engine(platform_url, 1, overflow=PROBES - 1)

    @asynccontextmanager
    async def transaction(self, scope: Scope) -> AsyncIterator[AsyncSession]:
        """Yield a session that sees the scope's rows alone; commit at the end, roll back on any exception.

        Raises:
            Unavailable: the database does not answer, or takes no changes.
            Busy: others held what this needs for too long.
        """
        async with _transaction(self._app) as session:
            # Local to the transaction: behind a pooler a session-wide setting would leak into others' work.
            await _begin(session, "app.organization_id", str(scope.organization_id))
            yield session

    @asynccontextmanager
    async def platform(self, reason: str) -> AsyncIterator[AsyncSession]:
        """Yield a session of the platform's own work; the reason is seen in the server's list of activity.

        Raises:
            Unavailable: the database does not answer, or takes no changes.
            Busy: others held what this needs for too long.
        """
        async with _transaction(self._platform) as session:
            await _begin(session, "application_name", reason)
            yield session

    @asynccontextmanager
    async def probe(self, reason: str) -> AsyncIterator[AsyncSession]:
        """Yield a session of the platform's that looks how it goes, by one of PROBES connections for that alone.

        So it is answered while requests have all the others, and takes none from them.

        Raises:
            Unavailable: the database does not answer.
            Busy: others held what this needs for too long.
        """
        async with _transaction(self._probes) as session:
            await _begin(session, "application_name", reason)
            yield session

    async def close(self) -> None:
        """Close all connections."""
        await self._app.dispose()
        await self._platform.dispose()
        await self._probes.dispose()


async def now(session: AsyncSession) -> datetime:
    """Return the database's time of the transaction's beginning, as SQL does; it was asked for there.

    Clocks of workers differ, and this one decides what is due.
    """
    moment: datetime = session.info[_NOW]
    return moment


async def _begin(session: AsyncSession, name: str, value: str) -> None:
    """Set what the transaction is for, and learn when it began: one question for both."""
    statement = text("SELECT now() FROM set_config(:name, :value, true)")
    session.info[_NOW] = (await session.execute(statement, {"name": name, "value": value})).scalar_one()


async def insert_unless_there(session: AsyncSession, row: Base, *, by: Sequence[str] = ()) -> bool:
    """Store a row unless one with the same unique key is there: the index decides, not a check before.

    Only what was set on the row is sent, so the database's defaults hold, and the row given stays outside the
    session: whoever needs what is there now, reads it.

    Args:
        session: of the caller's transaction; it waits for another one that is storing the same.
        row: what to store.
        by: the columns of the one unique key that may be taken already; any of them if empty.

    Returns:
        Whether it was stored.

    Raises:
        IntegrityError: another constraint speaks; see `violated`.
    """
    was_set = inspect(row).dict
    values = {each.key: was_set[each.key] for each in inspect(type(row)).column_attrs if each.key in was_set}
    statement = insert(type(row)).values(values).on_conflict_do_nothing(index_elements=by or None)
    return await session.scalar(statement.returning(literal_column("1"))) is not None


def one_of(column: str, words: Iterable[str]) -> str:
    """Write the CHECK that holds a column to the words of an enumeration."""
    listed = ", ".join(f"'{word}'" for word in sorted(words))
    return f"{column} IN ({listed})"


def violated(error: IntegrityError) -> str | None:
    """Tell the name of the constraint that refused a row."""
    return error.orig.diag.constraint_name if isinstance(error.orig, psycopg.Error) else None


def locked(query: Locked, *, skip_locked: bool = False) -> Locked:
    """Let nobody change what a query finds until the transaction ends, and read it as it is by then.

    The lock is FOR NO KEY UPDATE: nobody changes a key, and a stronger lock would stand in the way of the foreign
    keys of whatever is written about the row meanwhile, up to deadlocks.
    """
    return query.with_for_update(key_share=True, skip_locked=skip_locked).execution_options(populate_existing=True)


def _engine(url: str, pool_size: int, *, overflow: int | None = None) -> AsyncEngine:
    engine = create_async_engine(
        url,
        pool_pre_ping=True,
        pool_size=pool_size,
        max_overflow=pool_size if overflow is None else overflow,
        pool_timeout=POOL_SECONDS,
        hide_parameters=True,  # errors travel into logs and workflow histories
        connect_args={
            "connect_timeout": 3,
            "tcp_user_timeout": 5000,
            "options": "-c statement_timeout=7s -c lock_timeout=5s",
        },
    )
    event.listen(engine.sync_engine, "handle_error", _let_go_of_read_only)
    return engine


@asynccontextmanager
async def _transaction(engine: AsyncEngine) -> AsyncIterator[AsyncSession]:
    try:
        async with (
            asyncio.timeout(LONGEST_TRANSACTION),
            AsyncSession(engine, expire_on_commit=False) as session,
            session.begin(),
        ):
            yield session
    except PoolTimeout as error:
        raise Unavailable("all connections of this process to the database are in use") from error
    except TimeoutError as error:
        raise Unavailable(NO_ANSWER, reason=f"a transaction took {LONGEST_TRANSACTION} s") from error
    except DBAPIError as error:
        unavailable = _unavailable(error)
        if unavailable is None:
            raise
        raise unavailable from error


def _unavailable(error: DBAPIError) -> Unavailable | None:
    """Tell whether the same may work later, in words for the caller and with the server's own for the log."""
    cause = error.orig
    state = _sqlstate(error)
    # The first line is the message; what follows it may quote values.
    told = next(iter(str(cause).splitlines()), "")
    reason = " ".join(word for word in (state, f"{type(cause).__name__}:", told) if word)
    if state in BUSY:
        return Busy("others hold what this needs; try again in a moment", reason=reason)
    if state in AWAY:
        return Unavailable(AWAY[state], reason=reason)
    if error.connection_invalidated or isinstance(error, OperationalError | InterfaceError):
        return Unavailable(NO_ANSWER, reason=reason)
    return None


def _sqlstate(error: DBAPIError) -> str:
    return (error.orig.sqlstate or "") if isinstance(error.orig, psycopg.Error) else ""


def _let_go_of_read_only(context: ExceptionContext) -> None:
    """Have all connections made anew once one can't write: behind the same name another server may be primary."""
    cause = context.original_exception
    if isinstance(cause, psycopg.errors.ReadOnlySqlTransaction):
        context.is_disconnect = True
