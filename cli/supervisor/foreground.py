"""Running a home in the foreground, until a signal ends it."""

import time

from cli.servers.ready import say_ready
from cli.supervisor.home import Home
from cli.supervisor.log_file import LogFile
from cli.supervisor.log_lines import LogLines
from cli.supervisor.supervisor import Supervisor


async def supervise(home: Home, ready_fd: int | None) -> None:
    """Run everything; say where it is when all of it is ready.

    Raises:
        HomeInUse: somebody else runs it.
        ServerFailed: something did not start; everything is stopped then.
    """
    began = time.monotonic()
    home.prepare()
    log = LogFile(home.log_file)
    lines = LogLines(log if log.is_written_by(1) else None)

    def ready() -> None:
        print(f"\nGroundwork is ready ({time.monotonic() - began:.1f} s).\n{home.in_words()}\n", flush=True)
        say_ready(ready_fd)

    with home.locked():
        try:
            await Supervisor(home, lines, ready=ready).run()
        finally:
            lines.close()
