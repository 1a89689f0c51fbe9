"""A whole installation in a folder that goes away: `groundwork dev` as a child of the demo."""

import contextlib
import os
import select
import signal
import subprocess
import sys
import threading
import tomllib
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

from cli.demo.telling import Teller
from cli.errors import CheckFailed
from domain.errors import PlatformError
from integrations.embedded.process import dying_with_parent

READY_SECONDS: Final = 90
STOP_SECONDS: Final = 60
LINES_SHOWN: Final = 25
SUPERVISOR: Final = "groundwork"
PASSED_ON: Final = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "GROUNDWORK_CACHE", "NO_COLOR")


@dataclass(frozen=True, slots=True)
class Installation:
    """An installation that answers: where its parts are."""

    url: str
    ca: Path
    web_url: str
    administrator_key: str


def clean_environment() -> dict[str, str]:
    """Give what commands need of the caller's environment, and nothing that would change what they do."""
    kept = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    return kept | {"TERM": "dumb", "PYTHONUNBUFFERED": "1"}


@contextmanager
def running_installation(home: Path, teller: Teller) -> Iterator[Installation]:
    """Run an installation in a folder, and stop it at the end, whatever it was.

    What its servers said last is told when something fails meanwhile.

    Raises:
        CheckFailed: it did not start, or did not stop in good order.
    """
    reader, writer = os.pipe()
    command = [sys.executable, "-P", "-m", "cli", "dev", "--home", str(home), "--ready-fd", str(writer)]
    with subprocess.Popen(
        dying_with_parent(command, signal.SIGTERM),
        env=clean_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        pass_fds=(writer,),
        start_new_session=True,  # a Ctrl-C ends the demo, which then stops this in order
    ) as process:
        os.close(writer)
        log = _Log(process, teller)
        log.start()
        try:
            with os.fdopen(reader, "rb") as ready:
                _wait_until_ready(process, ready.fileno())
            log.is_told = False
            yield _read(home)
        except PlatformError:
            if process.poll() is not None:
                log.join()  # all of what it said is worth telling
            log.tell_last_words()
            raise
        finally:
            status = _stop(process)
            log.join()
    if status != 0:
        log.tell_last_words()
        raise CheckFailed(f"the servers ended with status {status}")


class _Log(threading.Thread):
    """Reads what the servers write, tells what the supervisor says while they start, keeps the last lines."""

    def __init__(self, process: subprocess.Popen[str], teller: Teller) -> None:
        super().__init__(daemon=True)
        self._process = process
        self._teller = teller
        self._last: deque[str] = deque(maxlen=LINES_SHOWN)
        self.is_told = True

    def run(self) -> None:
        for line in self._process.stdout or ():
            self._last.append(line)
            name, _, said = line.partition("|")
            if self.is_told and name.strip() == SUPERVISOR:
                self._teller.say(said.strip())

    def tell_last_words(self) -> None:
        self._teller.say("the servers' last words:\n" + "".join(self._last))


def processes_in(directory: Path) -> list[str]:
    """Give the command lines of all processes that work in a folder or name it."""
    return [f"{process.pid} {words}" for process, words in _working_in(directory)]


def end_processes_in(directory: Path) -> None:
    """End what still works in a folder: who is interrupted while starting one never hears of it."""
    ended = [process for process, _ in _working_in(directory)]
    for process in ended:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(ended, timeout=STOP_SECONDS)


def _working_in(directory: Path) -> list[tuple[psutil.Process, str]]:
    found, marker = [], str(directory)
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.pid == os.getpid():
                continue
            words = " ".join(process.cmdline())
            if marker in words or process.cwd().startswith(marker):
                found.append((process, words))
    return found


def _wait_until_ready(process: subprocess.Popen[str], ready: int) -> None:
    # The pipe ends without a byte when the child ends, so this waits no longer than it has to.
    readable, _, _ = select.select([ready], [], [], READY_SECONDS)
    if not readable:
        raise CheckFailed(f"the servers were not ready in {READY_SECONDS} s")
    if os.read(ready, 1) == b"":
        raise CheckFailed(f"the servers did not start (status {process.wait()})")


def _read(home: Path) -> Installation:
    settings = tomllib.loads((home / "groundwork.toml").read_text())
    return Installation(
        url=settings["registry"]["public_url"],
        ca=Path(settings["tls"]["ca_certificate"]),
        web_url=settings["temporal"]["web_url"],
        administrator_key=(home / "admin.key").read_text().strip(),
    )


def _stop(process: subprocess.Popen[str]) -> int:
    process.terminate()
    try:
        return process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()
