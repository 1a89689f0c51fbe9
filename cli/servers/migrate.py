"""`groundwork migrate`: the database's roles, schema and partitions, and what Temporal must know."""

import asyncio
import time
from collections.abc import Callable
from typing import Annotated, Final, TypeVar

from cyclopts import Parameter
from sqlalchemy.exc import OperationalError

from cli.output import PEOPLE, Output
from config.settings import DatabaseSettings, TemporalSettings
from config.start import begin_process
from domain.errors import Busy, SettingsInvalid, Unavailable
from integrations.temporal_registration import register
from storage.migrations.upgrade import head, upgrade
from storage.roles import ensure_roles
from workers.temporal_client import connect

T = TypeVar("T")
PAUSE_SECONDS: Final = 1.0


async def migrate(
    *,
    wait: Annotated[float, Parameter(help="Seconds to wait for servers that are not up yet.")] = 60,
    output: Output = PEOPLE,
) -> None:
    """Bring the database and Temporal to what this release needs. Harmless again, and when two do it at once.

    Runs as the database's owner (database.owner_url): before the servers of a new release start.

    Examples:
      groundwork migrate
      GROUNDWORK_CONFIG_FILE=/etc/groundwork.toml groundwork migrate --wait 300 --json
    """
    settings = begin_process()
    deadline = time.monotonic() + wait
    output.progress("migrating the database")
    before = await asyncio.to_thread(patient, lambda: migrate_database(settings.database), "PostgreSQL", deadline)
    output.progress("registering with Temporal")
    made = await _register(settings.temporal, deadline)
    result = {"from": before, "to": head(), "temporal": made}
    output.result(
        result, f"database at {head()} (was {before or 'empty'}); Temporal: {', '.join(made) or 'nothing to do'}"
    )


def migrate_database(settings: DatabaseSettings) -> str | None:
    """Make the roles and run the migrations; give the revision that was there before.

    Raises:
        SettingsInvalid: the owner's address is not set.
    """
    if settings.owner_url is None:
        raise SettingsInvalid("database.owner_url is not set: migrations run as the owner of the tables")
    owner, app, platform = (
        url.get_secret_value() for url in (settings.owner_url, settings.app_url, settings.platform_url)
    )
    ensure_roles(owner, app, platform)
    return upgrade(owner)


def patient(work: Callable[[], T], name: str, deadline: float) -> T:
    """Do something that needs PostgreSQL; while it can't be reached, or others hold it, try again to the deadline.

    Raises:
        Unavailable: it could not be reached in time.
        Busy: others held what it needs until then.
    """
    while True:
        try:
            return work()
        except Busy:
            if time.monotonic() > deadline:
                raise
            time.sleep(PAUSE_SECONDS)
        except OperationalError as error:
            if time.monotonic() > deadline:
                raise Unavailable(f"{name} does not answer: {str(error.orig).splitlines()[0]}") from error
            time.sleep(PAUSE_SECONDS)


async def _register(settings: TemporalSettings, deadline: float) -> list[str]:
    while True:
        try:
            return await register(await connect(settings))
        except RuntimeError as error:
            if time.monotonic() > deadline:
                raise Unavailable(f"Temporal does not answer at {settings.address}: {error}") from error
            await asyncio.sleep(PAUSE_SECONDS)
