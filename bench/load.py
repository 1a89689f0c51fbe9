"""Clients that load a server: wrk for many small requests, curl for few large ones."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Final

CONNECTIONS: Final = 32
_RATE: Final = re.compile(r"Requests/sec:\s+([\d.]+)")
_WRONG: Final = re.compile(r"Non-2xx or 3xx responses: \d+|Socket errors: .*")


def requests_per_second(url: str, *, key: str, seconds: int) -> float:
    """Ask for an address by all connections at once, again and again, each of them kept open.

    Raises:
        RuntimeError: wrk is missing; or an answer was not 200.
    """
    wrk = shutil.which("wrk")
    if wrk is None:
        raise RuntimeError("wrk is missing, which makes the requests: apt-get install wrk")
    output = _output(
        [
            *(wrk, "--threads", "1", "--connections", str(CONNECTIONS), "--duration", f"{seconds}s"),
            *("--header", f"Authorization: Bearer {key}", url),
        ]
    )
    rate, wrong = _RATE.search(output), _WRONG.search(output)
    if rate is None or wrong is not None:
        raise RuntimeError(f"{url} was not answered as it should: {output}")
    return float(rate[1])


def upload_seconds(url: str, form: list[str], *, key: str, authority: Path) -> float:
    """Send a form, as `curl --form` does; give the seconds until it was answered.

    Raises:
        RuntimeError: it was not answered with 201.
    """
    given = [argument for field in form for argument in ("--form", field)]
    given += ["--output", "/dev/null"]
    [took] = _curl([*given, "--header", f"Authorization: Bearer {key}", url], authority, expected=201)
    return took


def download_seconds(url: str, *, connections: int, authority: Path) -> float:
    """Fetch an address by several connections at once; give the seconds of the longest.

    Raises:
        RuntimeError: it was not answered with 200.
    """
    several = [argument for _ in range(connections) for argument in ("--output", "/dev/null", url)]
    parallel = ["--parallel", "--parallel-immediate", "--parallel-max", str(connections)]
    return max(_curl([*parallel, *several], authority, expected=200))


def _curl(arguments: list[str], authority: Path, *, expected: int) -> list[float]:
    curl = shutil.which("curl")
    if curl is None:
        raise RuntimeError("curl is missing, which moves the large files: apt-get install curl")
    said = '{"status": %{http_code}, "seconds": %{time_total}}\n'
    command = [curl, "--silent", "--http1.1", "--cacert", str(authority), "--write-out", said, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    if done.returncode != 0 or {answer["status"] for answer in answers} != {expected}:
        raise RuntimeError(f"{arguments[-1]} was not answered with {expected}: {done.stdout} {done.stderr}")
    return [answer["seconds"] for answer in answers]


def _output(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{command[0]} failed: {done.stderr}")
    return done.stdout
