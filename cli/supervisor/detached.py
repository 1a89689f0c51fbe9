"""Running the supervisor in the background, and stopping one."""

import asyncio
import os
import signal
import subprocess
import sys

from cli.output import Output
from cli.supervisor.home import Home
from integrations.embedded.process import ServerFailed

LINES_SHOWN = 15


async def start_detached(home: Home, output: Output) -> int:
    """Start a supervisor of its own session; return its process id when all of its servers are ready.

    Raises:
        ServerFailed: it ended before that; the end of its log is in the detail.
    """
    home.prepare()
    reader, writer = os.pipe()
    with home.log_file.open("ab") as log:
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "cli", "dev", "--home", str(home.path), "--ready-fd", str(writer)),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=(writer,),
            start_new_session=True,
        )
    os.close(writer)
    output.progress(f"starting; the log is {home.log_file}")
    with os.fdopen(reader, "rb") as pipe:
        ready = await asyncio.to_thread(pipe.read, 1)
    if not ready:
        await child.wait()
        words = home.log_file.read_text(errors="replace").splitlines()[-LINES_SHOWN:]
        raise ServerFailed("groundwork dev ended while it started: " + " / ".join(words))
    return child.pid


def stop_detached(home: Home) -> bool:
    """Stop the supervisor of a home and return when everything has stopped; False if none runs."""
    holder = home.holder()
    if holder is None:
        return False
    os.kill(holder, signal.SIGTERM)
    home.wait_for_release()
    return True
