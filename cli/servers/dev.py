"""`groundwork dev`: everything on this machine."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from cli.output import PEOPLE, Output
from cli.supervisor.at_work import deployments_at_work, interrupted_in_words
from cli.supervisor.detached import start_detached, stop_detached
from cli.supervisor.home import DEFAULT_HOME, Home


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
    """
    place = Home(home)
    if stop:
        await _stop(place, output)
        return
    if detach and (holder := place.holder()) is not None and place.settings_file.exists():
        output.result(
            place.facts() | {"process": holder}, lambda: f"already running (process {holder})\n{place.in_words()}"
        )
        return
    if detach:
        process = await start_detached(place, output)
        output.result(place.facts() | {"process": process}, place.in_words)
        return
    from cli.supervisor.foreground import supervise  # noqa: PLC0415  seconds that --stop and --detach don't need

    await supervise(place, ready_fd)


async def _stop(home: Home, output: Output) -> None:
    at_work = [] if home.holder() is None else await deployments_at_work(home)
    if not await stop_detached(home, output):
        output.result({"stopped": False, "interrupted": []}, f"nothing runs in {home.path}")
        return
    said = f"stopped; {interrupted_in_words(at_work)}" if at_work else "stopped"
    output.result({"stopped": True, "interrupted": at_work}, said)
