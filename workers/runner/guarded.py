"""The runner's side of the guard: starts it, orders commands, hears how they ended."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from integrations.engines.engine import StepFolder
from workers.runner import guard

_GUARD: Final = Path(guard.__file__)


def boot_time() -> float:
    """Read the clock that deadlines are told in; it is the same for all processes of a host."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


@dataclass(frozen=True, slots=True)
class CliExit:
    """How a command ended: by an exit code, by a signal, or, with neither, it was never started.

    `refusal` is why the operating system did not start it; `guard_lost` says that the guard died, and that the
    command was stopped from here and is gone.
    """

    code: int | None
    signal: int | None = None
    interrupted: bool = False
    killed: bool = False
    refusal: str | None = None
    guard_lost: bool = False


class GuardedCli:
    """One guard, for all commands of a step, one after the other."""

    def __init__(self, process: asyncio.subprocess.Process, grace: float) -> None:
        """Take a guard that was started; see start."""
        self._process = process
        self._grace = grace

    @classmethod
    async def start(
        cls,
        folder: StepFolder,
        environment: Mapping[str, str],
        *,
        deadline: float,
        grace: float,
        sandbox: Sequence[str],
    ) -> Self:
        """Start the guard, in a session of its own so that no terminal's signal reaches it.

        Args:
            folder: the step's; it must exist, and may still be empty.
            environment: of the guard and of every command.
            deadline: by boot_time; later ones come by `renew`.
            grace: seconds between SIGINT and SIGKILL.
            sandbox: what stands in front of guard and CLI; empty for none.

        Raises:
            OSError: it could not be started; E2BIG if a value is too long for an environment.
        """
        process = await asyncio.create_subprocess_exec(
            *sandbox,
            *(sys.executable, "-I", "-S", str(_GUARD), str(folder.report), str(deadline), str(grace)),
            env=environment,
            cwd=folder.root,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )
        return cls(process, grace)

    async def run(self, command: Sequence[str], output: Path) -> CliExit:
        """Run a command to its end, however it ends. If the guard was told to stop before, nothing is run."""
        self._order("run " + guard.UNIT_SEPARATOR.join((str(output), *command)))
        started = await self._hear()
        if not started:
            return CliExit(None, interrupted=True, guard_lost=await self._process.wait() != 0)
        if started[0] == "refused":
            return CliExit(None, refusal=os.strerror(int(started[1])))
        ended = await self._hear()
        if not ended:
            await _stop_orphan(int(started[1]), self._grace)
            return CliExit(None, interrupted=True, guard_lost=True)
        status, interrupted, killed = int(ended[1]), ended[2] == "interrupted", ended[3] == "killed"
        if status < 0:
            return CliExit(None, -status, interrupted, killed)
        return CliExit(status, None, interrupted, killed)

    def renew(self, deadline: float) -> None:
        """Let the command go on until another time, by boot_time."""
        self._order(f"deadline {deadline}")

    def interrupt(self) -> None:
        """Stop the command: one SIGINT, the grace, SIGKILL. Again is harmless."""
        self._order("interrupt")

    async def close(self) -> None:
        """Let the guard go and wait until it has; what still ran is interrupted first."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        await self._process.wait()

    def _order(self, order: str) -> None:
        if self._process.stdin is not None and not self._process.stdin.is_closing():
            self._process.stdin.write(os.fsencode(order) + b"\0")

    async def _hear(self) -> list[str]:
        """Wait for the next line; nothing if the guard has ended."""
        if self._process.stdout is None:
            return []
        return (await self._process.stdout.readline()).decode().split()


async def _stop_orphan(pid: int, grace: float) -> None:
    """Do the guard's last duty to a command that has lost its guard."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    gone = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_reader(handle, gone.set)
    try:
        signal.pidfd_send_signal(handle, signal.SIGINT)
        async with asyncio.timeout(grace):
            await gone.wait()
    except TimeoutError:
        os.killpg(pid, signal.SIGKILL)
        await gone.wait()
    except ProcessLookupError:
        return
    finally:
        loop.remove_reader(handle)
        os.close(handle)
