"""How HTTP is served: uvicorn's settings, whatever application it has. `bench` measures others under the same."""

import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Final

import uvicorn

STOP_SECONDS: Final = 15
"""How long requests that run may go on after a stop; streams of logs end at once."""


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
        http="httptools",
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
