"""`groundwork dev`: everything on this machine."""

import asyncio
import time
import tomllib
from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter

from cli.output import PEOPLE, Output
from cli.servers.migrate import migrate_database
from cli.servers.ready import say_ready
from cli.supervisor.detached import start_detached, stop_detached
from cli.supervisor.home import Home, write_private
from cli.supervisor.log_lines import LogLines
from cli.supervisor.supervisor import Supervisor
from config.loading import load_settings
from config.settings import Settings
from domain.errors import ErrorKind, PlatformError
from workers.composition import open_services

ADMINISTRATOR: Final = "admin@groundwork.test"
DEFAULT_HOME: Final = Path("~/.local/share/groundwork")


class KeyLost(PlatformError):
    """The first administrator's key was made and its file is gone; it can't be read from anywhere."""

    kind = ErrorKind.CONFLICT
    code = "dev.key_lost"


async def dev(
    *,
    home: Annotated[Path, Parameter(help="Folder of all data; made with mode 0700.")] = DEFAULT_HOME,
    detach: Annotated[
        bool, Parameter(negative="", help="Run in the background; return when all is ready.")
    ] = False,
    stop: Annotated[bool, Parameter(negative="", help="Stop what runs in the background.")] = False,
    ready_fd: Annotated[int | None, Parameter(show=False)] = None,
    output: Output = PEOPLE,
) -> None:
    """Run PostgreSQL, Temporal, the API and the worker on this machine until Ctrl-C.

    Everything is in one folder: data, keys, certificates, settings. The first start makes them, later ones go on
    where the last one stopped, however it ended.

    Examples:
      groundwork dev
      groundwork dev --home ./var/try --detach
      groundwork dev --home ./var/try --stop
    """
    place = Home(home)
    if stop:
        stopped = await asyncio.to_thread(stop_detached, place)
        output.result({"stopped": stopped}, "stopped" if stopped else f"nothing runs in {place.path}")
        return
    if detach:
        process = await start_detached(place, output)
        facts = summary(place)
        output.result(facts | {"process": process}, lambda: in_words(place, facts))
        return
    await supervise(place, ready_fd)


async def supervise(home: Home, ready_fd: int | None) -> None:
    """Run a home until a signal ends it."""
    began = time.monotonic()
    home.prepare()
    lines = LogLines()

    def ready() -> None:
        print(
            f"\nGroundwork is ready ({time.monotonic() - began:.1f} s).\n{in_words(home, summary(home))}\n",
            flush=True,
        )
        say_ready(ready_fd)

    with home.locked():
        try:
            await Supervisor(home, lines, prepare=lambda: first_steps(home), ready=ready).run()
        finally:
            lines.close()


def first_steps(home: Home) -> None:
    """Bring a new home's database to life: roles, schema, and the first administrator's key."""
    settings = load_settings()
    migrate_database(settings.database)
    if not home.admin_key_file.exists():
        asyncio.run(_bootstrap(settings, home))


async def _bootstrap(settings: Settings, home: Home) -> None:
    async with open_services(settings) as services:
        key = await services.organizations.bootstrap(ADMINISTRATOR)
    if key is None:
        raise KeyLost(f"{home.admin_key_file} is gone, and the key in it is kept nowhere else: `make reset`")
    write_private(home.admin_key_file, key.encode() + b"\n")


def summary(home: Home) -> dict[str, str]:
    """Say where everything of a running home is."""
    settings = tomllib.loads(home.settings_file.read_text())
    return {
        "api": settings["registry"]["public_url"],
        "documentation": settings["registry"]["public_url"] + "/docs",
        "temporal": settings["temporal"]["web_url"],
        "certificate authority": settings["tls"]["ca_certificate"],
        "administrator's key": str(home.admin_key_file),
        "settings": str(home.settings_file),
    }


def in_words(home: Home, facts: dict[str, str]) -> str:
    """Write the summary for people, with what to try first."""
    authority, key = facts["certificate authority"], facts["administrator's key"]
    return "\n".join(
        [
            *(f"  {name:<22} {value}" for name, value in facts.items()),
            "",
            "Try:",
            f'  curl --cacert {authority} -H "Authorization: Bearer $(cat {key})" \\',
            f"    {facts['api']}/api/v1/organizations",
            f"  GROUNDWORK_CONFIG_FILE={home.settings_file} groundwork doctor",
        ]
    )
