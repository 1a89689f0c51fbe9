"""Servers of other people as children of this process: started, awaited, stopped, and never left behind."""

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Final

import psutil

from domain.errors import ServerFailed

POLL_SECONDS: Final = 0.02
STOP_SECONDS: Final = 20.0
LINES_SHOWN: Final = 5


class ServerProcess:
    """One server as a child. It is told to stop when this process dies, however that happens (on Linux).

    Its working folder marks it: `end_leftovers` finds by it what an earlier owner left running.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        directory: Path,
        environment: Mapping[str, str],
        stop_signal: signal.Signals,
        output: int | None = None,
        inherited: tuple[int, ...] = (),
        as_user: Sequence[str] = (),
    ) -> None:
        """Describe the child; nothing runs before `start`.

        Args:
            name: what people call it in messages.
            command: program and arguments.
            directory: its working folder, which nothing else may use as one.
            environment: all of its environment; nothing of ours is added.
            stop_signal: asks it to stop in good order.
            output: file descriptor for what it prints; by default `server.log` in its folder.
            inherited: file descriptors that it gets under the same numbers.
            as_user: command before the command, which makes it run as somebody else.
        """
        self.name = name
        self._command = [str(word) for word in command]
        self._directory = directory
        self._environment = dict(environment)
        self._stop_signal = stop_signal
        self._output = output
        self._inherited = inherited
        self._as_user = as_user
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int:
        """Its process id; only a started server has one."""
        return self._started().pid

    async def start(self, ready: Callable[[], Awaitable[bool]], *, timeout: float = 30) -> None:
        """Run the child and return when it is ready.

        Raises:
            ServerFailed: it ended before it was ready, or was not ready in time; it is gone then.
        """
        with contextlib.ExitStack() as stack:
            output: int | IO[bytes] | None = self._output
            if output is None:
                output = stack.enter_context(self._log.open("ab"))
            self._process = await asyncio.create_subprocess_exec(
                *self._as_user,  # before the death signal: the system forgets that when the user changes
                *dying_with_parent(self._command, self._stop_signal),
                cwd=self._directory,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=self._inherited,
                start_new_session=True,  # a Ctrl-C is for the supervisor, which stops in order
            )
        try:
            async with asyncio.timeout(timeout):
                while not await ready():
                    self._check_alive()
                    await asyncio.sleep(POLL_SECONDS)
        except TimeoutError:
            await self.stop()
            raise ServerFailed(f"{self.name} was not ready in {timeout:.0f} s{self._last_words()}") from None
        except BaseException:
            await self.stop()
            raise

    async def wait(self) -> int:
        """Wait until it has ended; return its status, negative for a signal."""
        return await self._started().wait()

    async def stop(self, *, timeout: float = STOP_SECONDS) -> None:
        """Ask it to stop, kill it when it has not in time. Again is harmless."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.send_signal(self._stop_signal)
        try:
            await asyncio.wait_for(process.wait(), timeout)
        except TimeoutError:
            process.kill()
            await process.wait()

    def kill(self) -> None:
        """Kill it without a word, if it runs. Again is harmless."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()

    @property
    def _log(self) -> Path:
        return self._directory / "server.log"

    def _started(self) -> asyncio.subprocess.Process:
        if self._process is None:
            raise RuntimeError(f"{self.name} was not started")
        return self._process

    def _check_alive(self) -> None:
        if self._started().returncode is not None:
            raise ServerFailed(f"{self.name} ended while it started{self._last_words()}")

    def _last_words(self) -> str:
        if self._output is not None or not self._log.exists():
            return ""
        lines = self._log.read_text(errors="replace").splitlines()
        return ": " + " / ".join(lines[-LINES_SHOWN:])


def dying_with_parent(command: Sequence[str], stop_signal: signal.Signals) -> list[str]:
    """Give the command a death signal of its parent where the system has that (`setpriv` of util-linux)."""
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        return list(command)
    return [setpriv, "--pdeathsig", stop_signal.name.removeprefix("SIG"), "--", *command]


async def end_leftovers(
    directory: Path, executable: Path, stop_signal: signal.Signals, *, word: str | None = None
) -> None:
    """End every process of this executable that works in this folder, and return when all have ended.

    Where the executable says too little, as an interpreter does, a word of the command line narrows it.

    A supervisor that was killed leaves servers that are still stopping, and a killed PostgreSQL its own
    children; the next server must not meet them. Process ids in files prove nothing, since ids come again.

    Raises:
        ServerFailed: one can't be ended.
    """
    found = _at_work(directory, executable, word)
    ids = {process.pid for process in found}
    for process in found:
        with contextlib.suppress(psutil.NoSuchProcess):
            if process.ppid() not in ids:
                process.send_signal(stop_signal)
    if not await _gone(directory, executable, word):
        for process in _at_work(directory, executable, word):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        if not await _gone(directory, executable, word):
            raise ServerFailed(f"an earlier {executable.name} still works in {directory} and can't be ended")


async def _gone(directory: Path, executable: Path, word: str | None) -> bool:
    deadline = time.monotonic() + STOP_SECONDS
    while _at_work(directory, executable, word):
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(POLL_SECONDS)
    return True


def _at_work(directory: Path, executable: Path, word: str | None) -> list[psutil.Process]:
    """Find them by executable and working folder; processes of other people, and our own, don't count."""
    marker, name = str(directory.resolve()), executable.resolve().name
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            runs = Path(process.exe().removesuffix(" (deleted)")).name
            if runs != name or process.cwd() != marker or process.pid == os.getpid():
                continue
            if word is None or word in process.cmdline():
                found.append(process)
    return found
