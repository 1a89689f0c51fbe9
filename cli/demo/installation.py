"""A whole installation in a folder that goes away: `groundwork dev` as a child of the demo."""

import contextlib
import os
import select
import signal
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

from cli.demo.telling import CheckFailed
from integrations.embedded.process import dying_with_parent

READY_SECONDS: Final = 90
STOP_SECONDS: Final = 60
LINES_SHOWN: Final = 25
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
def running_installation(home: Path) -> Iterator[Installation]:
    """Run an installation in a folder, and stop it at the end, whatever it was.

    Raises:
        CheckFailed: it did not start, or did not stop in good order; its last words are in the sentence.
    """
    log = home.parent / "dev.log"
    reader, writer = os.pipe()
    command = [sys.executable, "-P", "-m", "cli", "dev", "--home", str(home), "--ready-fd", str(writer)]
    with log.open("wb") as output:
        process = subprocess.Popen(
            dying_with_parent(command, signal.SIGTERM),
            env=clean_environment(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            pass_fds=(writer,),
            start_new_session=True,  # a Ctrl-C ends the demo, which then stops this in order
        )
    os.close(writer)
    try:
        with os.fdopen(reader, "rb") as ready:
            _wait_until_ready(process, ready.fileno(), log)
        yield _read(home)
    finally:
        status = _stop(process)
    if status != 0:
        raise CheckFailed(f"the servers ended with status {status}: {_last_words(log)}")


def processes_in(directory: Path) -> list[str]:
    """Give the command lines of all processes that work in a folder or name it."""
    found, marker = [], str(directory)
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.pid == os.getpid():
                continue
            words = " ".join(process.cmdline())
            if marker in words or process.cwd().startswith(marker):
                found.append(f"{process.pid} {words}")
    return found


def _wait_until_ready(process: subprocess.Popen[bytes], ready: int, log: Path) -> None:
    # The pipe ends without a byte when the child ends, so this waits no longer than it has to.
    readable, _, _ = select.select([ready], [], [], READY_SECONDS)
    if not readable:
        raise CheckFailed(f"the servers were not ready in {READY_SECONDS} s: {_last_words(log)}")
    if os.read(ready, 1) == b"":
        raise CheckFailed(f"the servers did not start (status {process.wait()}): {_last_words(log)}")


def _read(home: Path) -> Installation:
    settings = tomllib.loads((home / "groundwork.toml").read_text())
    return Installation(
        url=settings["registry"]["public_url"],
        ca=Path(settings["tls"]["ca_certificate"]),
        web_url=settings["temporal"]["web_url"],
        administrator_key=(home / "admin.key").read_text().strip(),
    )


def _stop(process: subprocess.Popen[bytes]) -> int:
    process.terminate()
    try:
        return process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def _last_words(log: Path) -> str:
    return "\n" + "\n".join(log.read_text(errors="replace").splitlines()[-LINES_SHOWN:])
