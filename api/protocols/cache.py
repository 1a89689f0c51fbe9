"""Answers of the protocols, kept as bytes: what the tools ask for at every `init` is built once per change.

It stands behind the key check, and a kept answer is for those who have the route's own permission in the whole
organization. It belongs to that (to everybody where the route is public), a path and a window of download
capabilities, within which all that it says stays true.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.routing import facts_in, header
from domain.identity.principal import Principal
from domain.identity.rights import ORGANIZATION
from domain.registry.capability import window_of
from services.changes import Changes

TTL_SECONDS: Final = 30.0
LARGEST_ANSWER: Final = 256 * 1024
MOST_BYTES: Final = 64 * 1024 * 1024
OVERHEAD: Final = 2_048
"""Bytes of an answer beside its body, about; it bounds how many empty ones (to HEAD) are kept."""

Key = tuple[UUID | None, str, str, int]
RawHeaders = tuple[tuple[bytes, bytes], ...]


@dataclass(frozen=True, slots=True)
class _Kept:
    headers: RawHeaders
    body: bytes
    until: float

    @property
    def size(self) -> int:
        """About how many bytes of memory it takes."""
        return len(self.body) + OVERHEAD


class ByteCache:
    """Answers by organization, request and window, the least recently used given up first."""

    def __init__(self, changes: Changes, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin empty, and drop an organization's answers whenever something of it changes."""
        self._changes = changes
        self._clock = clock
        self._kept: OrderedDict[Key, _Kept] = OrderedDict()
        self._size = 0
        self._forgotten = 0
        changes.subscribe(self._forget)

    def find(self, key: Key) -> _Kept | None:
        """Give the answer, if it is surely as true as when it was built."""
        kept = self._kept.get(key)
        if kept is None or not self._changes.heard or kept.until <= self._clock():
            return None
        self._kept.move_to_end(key)
        return kept

    def begin(self) -> int:
        """Note that an answer is being built; `keep` wants to know since when."""
        return self._forgotten

    def keep(self, key: Key, headers: RawHeaders, body: bytes, *, since: int) -> None:
        """Keep an answer, unless something changed while it was being built."""
        if since != self._forgotten or len(body) > LARGEST_ANSWER:
            return
        self._drop(key)
        kept = _Kept(headers, body, self._clock() + TTL_SECONDS)
        self._kept[key] = kept
        self._size += kept.size
        while self._size > MOST_BYTES:
            self._drop(next(iter(self._kept)))

    def _forget(self, organization_id: UUID | None) -> None:
        self._forgotten += 1
        # What belongs to everybody are files and addresses, which never change.
        gone = [key for key in self._kept if organization_id is None or key[0] == organization_id]
        for key in gone:
            self._drop(key)

    def _drop(self, key: Key) -> None:
        kept = self._kept.pop(key, None)
        if kept is not None:
            self._size -= kept.size


class ByteCacheLayer:
    """Answers what is kept, and keeps what the application answers with 200."""

    def __init__(self, app: ASGIApp, changes: Changes) -> None:
        """Take the application that stands behind, and who tells of changes."""
        self._app = app
        self._cache = ByteCache(changes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        key = _key(scope)
        if key is None:
            await self._app(scope, receive, send)
            return
        kept = self._cache.find(key)
        if kept is None:
            await self._build(key, scope, receive, send)
            return
        known = header(scope, b"if-none-match")
        headers, status, body = kept.headers, 200, kept.body
        if known is not None and (b"etag", known) in headers:
            headers, status, body = tuple(each for each in headers if each[0] != b"content-length"), 304, b""
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _build(self, key: Key, scope: Scope, receive: Receive, send: Send) -> None:
        since, headers, body, whole = self._cache.begin(), None, bytearray(), False

        async def watched(message: Message) -> None:
            nonlocal headers, whole
            if message["type"] == "http.response.start":
                # Taken before the layers outside add theirs, such as this request's id.
                headers = tuple(message["headers"]) if message["status"] == 200 else None  # noqa: PLR2004  OK
            else:
                if len(body) <= LARGEST_ANSWER:
                    body.extend(message.get("body", b""))
                whole = not message.get("more_body", False)
            await send(message)

        await self._app(scope, receive, watched)
        # An application stops in the middle, and says nothing of it, when its client has gone.
        if headers is not None and whole and _has_its_length(scope["method"], headers, body):
            self._cache.keep(key, headers, bytes(body), since=since)


def _has_its_length(method: str, headers: RawHeaders, body: bytearray) -> bool:
    declared = Headers(raw=list(headers)).get("content-length")
    return method == "HEAD" or declared is None or declared == str(len(body))


def _key(scope: Scope) -> Key | None:
    """Tell what is asked for; None for what is not kept."""
    if scope["type"] != "http" or scope["query_string"]:
        return None
    facts = facts_in(scope)
    if not facts.kept or header(scope, b"range") is not None:  # about parts the route decides
        return None
    method, path, window = scope["method"], scope["path"], window_of(datetime.now(UTC))
    if facts.permission is None:
        return None, method, path, window
    principal: Principal | None = scope["state"]["principal"]
    if principal is None or not principal.rights.allow(facts.permission, ORGANIZATION):
        return None
    return principal.organization_id, method, path, window
