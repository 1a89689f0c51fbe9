"""How HTTP is served: uvicorn's settings, whatever application it has. `bench` measures others under the same."""

import asyncio
import resource
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Final

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

STOP_SECONDS: Final = 15
"""How long requests that run may go on after a stop; streams of logs end at once."""
FAREWELL_SECONDS: Final = 1.0
"""How long a client may take to answer the end of TLS, when the server stops."""
LONGEST_HEAD: Final = 64 * 1024
"""Bytes of a request's line and headers, about. The parser bounds nothing, and keeps what came until all came."""
HEAD_SECONDS: Final = 10.0
"""How long a new connection may send no whole head of a request, and a later request's head may take, about."""


class Connection(HttpToolsProtocol):
    """A connection that bounds what is kept of it and waited for, and ends soon after a stop.

    Whoever sends headers without an end, with no key, would fill the memory; so would trailers behind a body.
    Whoever sends nothing, or a head byte by byte, would take one of the files that the process may have open.

    After a stop it ends once all was sent, also where its client answers nothing. A client that keeps a connection
    for later does not look at it meanwhile, and so does not hear that TLS ends: the server would wait for each of
    them as long as for requests that run.
    """

    _unread = 0
    """Bytes since a head was whole, or a piece of a body came."""
    _head_since: float | None = None
    """When a head began that is not whole, by the loop's clock; a connection begins with one."""
    _look: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        """Wait for the first head."""
        super().connection_made(transport)
        self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing more."""
        if self._look is not None:
            self._look.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take bytes as they come, and refuse a head that is too long."""
        before = self.cycle
        self._unread += len(data)
        super().data_received(data)
        if self.cycle is not before:
            self._unread = 0
            self._head_since = None
        elif self._head_since is None and (before is None or before.response_complete):
            self._wait_for_head()
        if self.cycle is before and self._unread > LONGEST_HEAD and not self.transport.is_closing():
            if before is None or before.response_complete:
                self.send_400_response(f"The head of a request may have {LONGEST_HEAD} bytes.")
            else:  # in the trailers of a request that is being answered
                self.transport.abort()

    def on_body(self, body: bytes) -> None:
        """Take a piece of a body; the application bounds those."""
        self._unread = 0
        super().on_body(body)

    def _wait_for_head(self) -> None:
        """Note that a head has begun. One timer looks at all that a connection has: most heads come whole."""
        self._head_since = self.loop.time()
        if self._look is None:
            self._look = self.loop.call_at(self._head_since + HEAD_SECONDS, self._look_at_head)

    def _look_at_head(self) -> None:
        self._look = None
        if self._head_since is None:
            return
        until = self._head_since + HEAD_SECONDS
        if self.loop.time() < until:
            self._look = self.loop.call_at(until, self._look_at_head)
        else:
            self.transport.abort()

    def shutdown(self) -> None:
        """End it when its request is answered, or at once."""
        super().shutdown()
        self.loop.call_later(FAREWELL_SECONDS, self._end)

    def _end(self) -> None:
        if self.transport.is_closing() and not self.transport.get_write_buffer_size():
            self.transport.abort()
        else:
            self.loop.call_later(FAREWELL_SECONDS, self._end)


def allow_connections() -> None:
    """Let this process, and those it starts, have as many files open as they may: each connection is one."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def http_server(
    application: str, *, host: str, port: int, certificate: Path | None, key: Path | None, processes: int = 1
) -> uvicorn.Config:
    """Make uvicorn's settings.

    Args:
        application: `module:function` that makes it, in each process.
        host: to listen on.
        port: to listen on.
        certificate: chain for TLS, as PEM; without one, TLS is a proxy's business.
        key: of the certificate, as PEM.
        processes: that serve; more than one share the port.
    """
    return uvicorn.Config(
        application,
        factory=True,
        host=host,
        port=port,
        ssl_certfile=certificate,
        ssl_keyfile=key,
        ssl_context_factory=_tls if certificate else None,
        workers=processes,
        loop="uvloop",
        http=Connection,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=STOP_SECONDS,
    )


def _tls(_config: uvicorn.Config, default: Callable[[], ssl.SSLContext]) -> ssl.SSLContext:
    """Make uvicorn's own context, without session tickets.

    The CLIs make a connection for nearly every request and keep no sessions: two tickets for each cost a write
    and its encryption, and nobody ever comes back with one.
    """
    context = default()
    context.num_tickets = 0
    return context
