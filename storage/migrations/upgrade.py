"""Running migrations from code: the one way in for the command, the supervisor and the tests."""

from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, pool

HERE: Final = Path(__file__).parent


def configuration(owner_url: str) -> Config:
    """Give alembic's configuration, which is no file: it holds a password."""
    config = Config()
    config.set_main_option("script_location", str(HERE))
    config.set_main_option("file_template", "%%(rev)s_%%(slug)s")
    config.attributes["url"] = owner_url
    return config


def upgrade(owner_url: str) -> None:
    """Bring the schema to the newest revision; harmless when it is there."""
    command.upgrade(configuration(owner_url), "head")


def head() -> str:
    """Name the newest revision that this code knows."""
    newest = ScriptDirectory.from_config(configuration("")).get_current_head()
    if newest is None:
        raise RuntimeError("the migrations are missing from this installation")
    return newest


def current(url: str) -> str | None:
    """Name the revision that a database has; None for an empty one."""
    engine = create_engine(url, poolclass=pool.NullPool, hide_parameters=True)
    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()
