"""Servers that a benchmark starts beside the product's."""

import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

START_SECONDS: Final = 20


@contextmanager
def serving(
    command: list[str | Path], port: int, environment: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server that will listen on a port; give its process when it does, and stop it at the end.

    Raises:
        RuntimeError: it ended, or does not listen in time.
    """
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, env=environment) as server:
        try:
            _wait_until_it_listens(server, port)
            yield server
        finally:
            server.terminate()


def _wait_until_it_listens(server: subprocess.Popen[bytes], port: int) -> None:
    until = time.monotonic() + START_SECONDS
    while server.poll() is None and time.monotonic() < until:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise RuntimeError(f"{server.args!r} does not start")
