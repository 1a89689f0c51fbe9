"""Ports on the loopback: chosen once, kept, and chosen again when somebody else has taken one."""

import json
import random
import socket
from pathlib import Path
from typing import Final

LOOPBACK: Final = "127.0.0.1"
HELD: Final[set[int]] = set()
# Below what systems give to outgoing connections: none of those takes a port while its server restarts.
RANGE: Final = range(20000, 32000)


def free_port() -> int:
    """Find a port that nothing listens on now; nobody else is given it while this process lives."""
    while True:
        port = random.choice(RANGE)  # noqa: S311  nobody has to guess it
        if port not in HELD and _take(port):
            return port


def _take(port: int) -> bool:
    """Keep a port for this process, or say that it can't be had.

    Between the choice of a port and the moment its server listens seconds may pass, in which another process
    would find it free. So the UDP port of the same number, which no server here uses, is held meanwhile.
    """
    if port not in HELD:
        hold = socket.socket(type=socket.SOCK_DGRAM)
        try:
            hold.bind((LOOPBACK, port))
        except OSError:
            hold.close()
            return False
        hold.detach()  # it stays open for as long as the process lives
        HELD.add(port)
    return is_free(port)


def is_free(port: int) -> bool:
    """Tell whether a server could listen here; what a closed connection still holds does not count."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True


class Ports:
    """The ports of one home, by the name of who listens. Ask it when nothing of that home runs any more."""

    def __init__(self, path: Path) -> None:
        """Take the file that keeps them."""
        self._path = path

    def choose(self, names: list[str]) -> dict[str, int]:
        """Give each name its port of last time, or another one where that is taken now."""
        kept: dict[str, int] = json.loads(self._path.read_text()) if self._path.exists() else {}
        chosen: dict[str, int] = {}
        for name in names:
            port = kept.get(name)
            if port is None or not _take(port):
                port = free_port()
            chosen[name] = port
        if chosen != kept:
            fresh = self._path.with_suffix(".new")
            fresh.write_text(json.dumps(chosen, indent=2) + "\n")
            fresh.rename(self._path)
        return chosen
