"""Running migrations from code: the one way in for the command, the supervisor and the tests."""

import functools
from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from psycopg.errors import DeadlockDetected, LockNotAvailable
from sqlalchemy import create_engine, pool, text
from sqlalchemy.exc import OperationalError

from domain.errors import Busy
from storage.migrations.fills import fill

HERE: Final = Path(__file__).parent
IN_USE: Final = (
    "a table that the migration has to change was in use all the time: look in pg_stat_activity for a transaction "
    "that stays open, such as a backup's, end it or wait for it, and run `groundwork migrate` again; it goes on "
    "where it stopped"
)


def configuration(owner_url: str) -> Config:
    """Give alembic's configuration, which is no file: it holds a password."""
    config = Config()
    config.set_main_option("script_location", str(HERE))
    config.set_main_option("file_template", "%%(rev)s_%%(slug)s")
    config.attributes["url"] = owner_url
    return config


def upgrade(owner_url: str) -> str | None:
    """Bring the schema to the newest revision, and fill in what rows lack for it; harmless when it is there.

    After a long rest the audit partitions are made anew here: the first rows come before the first tick.

    Returns:
        The revision that was there; None for an empty database.

    Raises:
        Busy: others held what this needs for too long. What was done stays; run again it goes on.
    """
    configured = configuration(owner_url)
    engine = create_engine(owner_url, poolclass=pool.NullPool, hide_parameters=True)
    try:
        command.upgrade(configured, "head")
        with engine.connect() as connection:
            connection.execute(text("SELECT make_audit_partitions()"))
            connection.commit()
            fill(connection)
    except OperationalError as error:
        if isinstance(error.orig, LockNotAvailable | DeadlockDetected):
            raise Busy(IN_USE) from error
        raise
    before: str | None = configured.attributes["before"]
    return before


@functools.cache
def revisions() -> tuple[str, ...]:
    """Name the revisions that this code knows, the newest first."""
    known = tuple(script.revision for script in ScriptDirectory.from_config(configuration("")).walk_revisions())
    if not known:
        raise RuntimeError("the migrations are missing from this installation")
    return known


def head() -> str:
    """Name the newest revision that this code knows."""
    return revisions()[0]


def suits(revision: str | None) -> bool:
    """Tell whether this code works on a schema: the newest that it knows, or one that only a later release knows.

    Migrations add what the release before can live with, so its servers go on until they are replaced.
    """
    return revision is not None and revision not in revisions()[1:]


def current(url: str) -> str | None:
    """Name the revision that a database has; None for an empty one."""
    engine = create_engine(url, poolclass=pool.NullPool, hide_parameters=True)
    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()
