"""What the product's server is measured against: small applications under the same uvicorn.

`python -m bench.bare` starts one of them. None imports anything of the product but how it serves.
"""

import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import uvicorn
from fastapi import FastAPI, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from bench.children import serving
from bench.product import Product
from cli.servers.http import http_server
from integrations.embedded.ports import free_port

ANSWERS: Final = "BENCH_ANSWERS"
"""Variable with the path of what `bare` answers."""
FOLDER: Final = "BENCH_FOLDER"
"""Variable with the folder that `taking` writes to."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The bytes of an answer with status 200."""

    headers: list[tuple[str, str]]
    body: str


@contextmanager
def bare_server(name: str, product: Product, environment: Mapping[str, str], *, tls: bool = True) -> Iterator[str]:
    """Run one of the applications here; give its address."""
    port = free_port()
    files = [product.certificate, product.certificate_key] if tls else []
    with serving([sys.executable, "-m", "bench.bare", name, str(port), *files], port, os.environ | environment):
        yield f"{'https' if tls else 'http'}://127.0.0.1:{port}"


def sending() -> ASGIApp:
    """Make what sends fixed answers by their paths, and looks at nothing else."""
    written = json.loads(Path(os.environ[ANSWERS]).read_text())
    answers = {
        path: (
            [(name.encode(), value.encode()) for name, value in answer["headers"]],
            answer["body"].encode(),
        )
        for path, answer in written.items()
    }

    async def application(scope: Scope, _receive: Receive, send: Send) -> None:
        headers, body = answers[scope["path"]]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return _after_lifespan(application)


def framework() -> ASGIApp:
    """Make what gives the version list by a plain route of FastAPI, with the same headers."""
    written = json.loads(Path(os.environ[ANSWERS]).read_text())
    [answer] = [each for path, each in written.items() if path.endswith("/versions")]
    document = json.loads(answer["body"])
    headers = {name: value for name, value in answer["headers"] if name not in {"content-type", "content-length"}}
    app = FastAPI()

    @app.get("/v1/modules/{namespace}/{name}/{system}/versions")
    async def versions(
        namespace: str,  # noqa: ARG001  read all the same
        name: str,  # noqa: ARG001  as above
        system: str,  # noqa: ARG001  as above
        response: Response,
    ) -> dict[str, Any]:
        response.headers.update(headers)
        given: dict[str, Any] = document
        return given

    return app


def taking() -> ASGIApp:
    """Make what receives a body, hashes it and writes it to a file, and says its hash."""
    folder = os.environ[FOLDER]

    async def application(_scope: Scope, receive: Receive, send: Send) -> None:
        digest, more = hashlib.sha256(), True
        with tempfile.TemporaryFile(dir=folder) as file:
            while more:
                message = await receive()
                digest.update(message["body"])
                file.write(message["body"])
                more = message["more_body"]
        body = digest.hexdigest().encode()
        headers = [(b"content-type", b"text/plain"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 201, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return _after_lifespan(application)


def _after_lifespan(application: ASGIApp) -> ASGIApp:
    async def whole(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
        else:
            await application(scope, receive, send)

    return whole


def main(name: str, port: str, *tls: str) -> None:
    """Serve one of them until SIGTERM."""
    certificate, key = map(Path, tls) if tls else (None, None)
    config = http_server(f"bench.bare:{name}", host="127.0.0.1", port=int(port), certificate=certificate, key=key)
    uvicorn.Server(config).run()


if __name__ == "__main__":
    main(*sys.argv[1:])
