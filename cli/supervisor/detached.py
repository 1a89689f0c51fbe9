"""Running the supervisor in the background, and stopping one."""

import asyncio
import contextlib
import io
import os
import re
import signal
import subprocess
import sys
from typing import IO, Final

from cli.output import Output
from cli.supervisor.home import Home
from cli.supervisor.log_file import LogFile
from domain.errors import ServerFailed

LINES_SHOWN = 15
LOOK_SECONDS: Final = 0.2
NAME: Final = "groundwork"
COMPLAINT: Final = "groundwork: "
"""What a command's own error begins with (cli.output.complain)."""
INTERRUPTING: Final = re.compile(r"interrupting_runs.* runs=(\d+) seconds_at_most=(\d+)")
"""What a worker says in its log when it stops (workers.serving)."""


async def start_detached(home: Home, output: Output) -> int:
    """Start a supervisor of its own session; return its process id when all of its servers are ready.

    Raises:
        ServerFailed: it ended before that; the reason, and what it said last, is in the detail.
    """
    home.prepare()
    reader, writer = os.pipe()
    with os.fdopen(LogFile(home.log_file).open(), "ab") as log:
        before = home.log_file.stat().st_size
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
        waiting = asyncio.create_task(asyncio.to_thread(pipe.read, 1))
        with home.log_file.open("rb") as told:
            told.seek(before)
            while not waiting.done():
                await asyncio.wait((waiting,), timeout=LOOK_SECONDS)
                _pass_on(told, output)
        ready = waiting.result()
    if not ready:
        await child.wait()
        said = home.log_file.read_bytes()[before:].decode(errors="replace")
        raise ServerFailed("groundwork dev ended while it started: " + why(said))
    return child.pid


def why(said: str) -> str:
    """Write what a start said that failed in one line: its reason, and then its last lines."""
    lines = said.splitlines()
    reasons = [line for line in lines if line.startswith(COMPLAINT)]
    last = [line for line in lines[-LINES_SHOWN:] if line not in reasons[-1:]]
    return " / ".join([*(reason.removeprefix(COMPLAINT) for reason in reasons[-1:]), *last])


async def stop_detached(home: Home, output: Output) -> bool:
    """Stop the supervisor of a home and return when everything has stopped; False if none runs."""
    holder = home.holder()
    if holder is None:
        return False
    with contextlib.ExitStack() as stack:
        told = stack.enter_context(home.log_file.open("rb")) if home.log_file.exists() else io.BytesIO()
        told.seek(0, io.SEEK_END)
        os.kill(holder, signal.SIGTERM)
        stopping = asyncio.create_task(asyncio.to_thread(home.wait_for_release))
        while not stopping.done():
            await asyncio.wait((stopping,), timeout=LOOK_SECONDS)
            _pass_on(told, output)
        await stopping
    return True


def _pass_on(told: IO[bytes], output: Output) -> None:
    """Show what the supervisor has said in its own name since the last look, and which runs a stop waits for."""
    for line in told.read().decode(errors="replace").splitlines():
        name, _, words = line.partition(" | ")
        if name.strip() == NAME:
            output.progress(words)
        elif (found := INTERRUPTING.search(words)) is not None:
            output.progress(f"interrupting {found[1]} runs, up to {found[2]} s")
