"""Between the tools and the product: who asked for what, and answers bent to see what a tool makes of them."""

import asyncio
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tests.e2e.conformance.catalogue import Catalogue


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, and with what it was answered."""

    method: str
    path: str
    has_key: bool
    status: int
    """0 if the client went before it was answered."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, whole."""

    port: int
    path: str
    """Of the request, as the port."""
    status: int
    headers: dict[str, str]
    body: bytes

    def with_json(self, change: Callable[[dict[str, Any]], object]) -> "Answer":
        """Change the document in the body."""
        document = json.loads(self.body)
        change(document)
        return self.with_body(json.dumps(document).encode())

    def with_body(self, body: bytes) -> "Answer":
        """Put another body in its place."""
        return replace(self, headers=self.headers | {"content-length": str(len(body))}, body=body)

    def with_headers(self, **headers: str) -> "Answer":
        """Put other headers in their place; `_` in a name stands for a dash."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return replace(self, headers=self.headers | named)

    def without_header(self, name: str) -> "Answer":
        """Leave a header out."""
        return replace(self, headers={each: value for each, value in self.headers.items() if each != name})


@dataclass(frozen=True, slots=True)
class Bend:
    """What becomes of answers at paths that end in a pattern, the first so many times."""

    path: str
    change: Callable[[Answer, Catalogue], Answer]
    times: int = 10**9
    method: str = "GET"
    after_seconds: float = 0
    """How long the client waits for it."""


@dataclass(slots=True)
class Watched:
    """The product's application, behind which nothing else is changed."""

    make_app: Callable[[str], ASGIApp]
    asked: list[Asked] = field(default_factory=list)
    _bends: list[tuple[Bend, int]] = field(default_factory=list)
    _catalogue: Catalogue | None = None
    _app: ASGIApp = field(init=False)

    def at(self, url: str) -> "Watched":
        """Make the application for the address that it is served at."""
        self._app = self.make_app(url)
        return self

    def begin(self, catalogue: Catalogue, bends: Sequence[Bend]) -> None:
        """Forget what was asked, and bend answers in another way from now on."""
        self.asked = []
        self._bends = [(bend, bend.times) for bend in bends]
        self._catalogue = catalogue

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        bend = self._bend_of(scope["method"], scope["path"])
        status = 0

        async def noting(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        try:
            if bend is None or self._catalogue is None:
                await self._app(scope, receive, noting)
            else:
                answer = bend.change(await self._whole(scope, receive), self._catalogue)
                await asyncio.sleep(bend.after_seconds)
                await _send(answer, noting)
        finally:
            has_key = b"authorization" in dict(scope["headers"])
            self.asked.append(Asked(scope["method"], scope["path"], has_key, status))

    def _bend_of(self, method: str, path: str) -> Bend | None:
        for at, (bend, left) in enumerate(self._bends):
            if left and bend.method == method and re.search(bend.path + "$", path):
                self._bends[at] = (bend, left - 1)
                return bend
        return None

    async def _whole(self, scope: Scope, receive: Receive) -> Answer:
        started: Message = {}
        body = bytearray()

        async def keep(message: Message) -> None:
            started.update(message)
            body.extend(message.get("body", b""))

        await self._app(scope, receive, keep)
        return Answer(
            scope["server"][1],
            scope["path"],
            started["status"],
            dict(Headers(raw=started["headers"])),
            bytes(body),
        )


async def _send(answer: Answer, send: Send) -> None:
    headers = [(name.encode(), value.encode()) for name, value in answer.headers.items()]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})
