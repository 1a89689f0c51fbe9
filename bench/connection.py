"""One connection to a server that is kept open, without the time that a client library takes."""

import socket
import ssl
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self
from urllib.parse import urlsplit

END_OF_HEAD: Final = b"\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Answered:
    """What came back, and after how long."""

    status: int
    body: bytes
    milliseconds: float


class Connection:
    """A TLS connection that asks one thing after another as the holder of a key."""

    def __init__(self, url: str, certificate_authority: Path, key: str) -> None:
        """Connect."""
        address = urlsplit(url)
        host, port = address.hostname or "", address.port or 443
        trust = ssl.create_default_context(cafile=str(certificate_authority))
        plain = socket.create_connection((host, port), timeout=60)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = trust.wrap_socket(plain, server_hostname=host)
        self._rest = f" HTTP/1.1\r\nHost: {address.netloc}\r\nAuthorization: Bearer {key}\r\n\r\n"

    def __enter__(self) -> Self:
        """Give the connection."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        self._socket.close()

    def get(self, path: str) -> Answered:
        """Ask, and read the whole answer.

        Raises:
            RuntimeError: the server closed, or answered without a length.
        """
        began = time.perf_counter()
        self._socket.sendall(f"GET {path}{self._rest}".encode())
        begun = b""
        while END_OF_HEAD not in begun:
            begun += self._piece()
        head, _, body = begun.partition(END_OF_HEAD)
        _, found, length = head.lower().partition(b"\r\ncontent-length: ")
        if not found:
            raise RuntimeError(f"an answer without a length: {head!r}")
        pieces, missing = [body], int(length.split(b"\r\n", 1)[0]) - len(body)
        while missing > 0:
            pieces.append(self._piece())
            missing -= len(pieces[-1])
        took = (time.perf_counter() - began) * 1_000
        return Answered(int(head.split(b" ", 2)[1]), b"".join(pieces), took)

    def _piece(self) -> bytes:
        piece = self._socket.recv(1 << 16)
        if not piece:
            raise RuntimeError("the server closed the connection")
        return piece
