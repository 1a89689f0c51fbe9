"""Answers of the protocols, kept as bytes: what the tools ask for at every `init` is built once per change.

A kept answer is given before anything else is looked at: the layer that finds it stands outermost, and does itself
what the others do for all requests. It is for those who have the route's own permission in the whole organization,
and belongs to that (to everybody where the route is public) and to a path, for as long as the window of download
capabilities goes on that it was built in.
"""

import asyncio
import logging
import time
from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import structlog
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.operations.metrics import RequestCount, count_of
from api.protocols.downloads import alike
from api.requests import bearer_of, header, is_known, pattern_of, request_id_of
from api.routing import facts_in
from domain.identity.errors import Unauthenticated
from domain.identity.permissions import Permission
from domain.identity.principal import Principal
from domain.identity.rights import ORGANIZATION
from domain.registry.capability import seconds_left
from domain.registry.downloads import Given
from services.changes import Changes
from services.identity.authentication import Authentication
from services.registry.counter import DownloadCounter

TTL_SECONDS: Final = 30.0
LARGEST_ANSWER: Final = 2 * 1024 * 1024
MOST_BYTES: Final = 32 * 1024 * 1024
"""Of what organizations get, and as much of what everybody gets: who fills one takes nothing from the other."""
OVERHEAD: Final = 2_048
"""Bytes of an answer beside body, headers and path, about; it bounds how many empty ones (to HEAD) are kept."""

Key = tuple[int | None, str, str]
"""Organization, method and path. An organization's id is a number here, since a UUID counts its hash each time."""
RawHeaders = tuple[tuple[bytes, bytes], ...]
_NOTHING: Final = (None, 0.0)
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer with status 200, and whom it is for: who has a permission, or everybody."""

    headers: RawHeaders
    body: bytes
    permission: Permission | None
    pattern: str
    """Of the route that gave it."""
    count: RequestCount
    """What counts how often it is given with status 200."""
    gave: Given | None = None
    """The version that it tells the place of: each time it is given is a download of that."""


class _Shelf:
    """Answers up to MOST_BYTES, the least recently used given up first."""

    def __init__(self) -> None:
        self.kept: OrderedDict[Key, tuple[Answer, float]] = OrderedDict()
        self._size = 0

    def keep(self, key: Key, answer: Answer, until: float) -> None:
        self.drop(key)
        self.kept[key] = (answer, until)
        self._size += _size_of(key, answer)
        while self._size > MOST_BYTES:
            self.drop(next(iter(self.kept)))

    def drop(self, key: Key) -> None:
        answer, _ = self.kept.pop(key, _NOTHING)
        if answer is not None:
            self._size -= _size_of(key, answer)


class ByteCache:
    """Answers by organization and request."""

    def __init__(self, changes: Changes, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin empty, and drop an organization's answers whenever something of it changes."""
        self._changes = changes
        self._clock = clock
        self._of_organizations, self._of_everybody = _Shelf(), _Shelf()
        self._forgotten: Counter[int | None] = Counter()
        changes.subscribe(self._forget)

    def find(self, key: Key) -> Answer | None:
        """Give the answer, if it is surely as true as when it was built."""
        kept = self._shelf(key).kept
        answer, until = kept.get(key, _NOTHING)
        if answer is None or not self._changes.heard or until <= self._clock():
            return None
        kept.move_to_end(key)
        return answer

    def begin(self, key: Key) -> tuple[int, int]:
        """Note that an answer is being built; `keep` wants to know since when."""
        return self._forgotten[None], self._forgotten[key[0]]

    def keep(self, key: Key, answer: Answer, *, since: tuple[int, int]) -> None:
        """Keep an answer, unless something of its organization changed while it was being built."""
        if since != self.begin(key) or len(answer.body) > LARGEST_ANSWER:
            return
        lasts = min(TTL_SECONDS, seconds_left(datetime.now(UTC)))
        self._shelf(key).keep(key, answer, self._clock() + lasts)

    def _forget(self, organization_id: UUID | None) -> None:
        self._forgotten[None if organization_id is None else organization_id.int] += 1
        if organization_id is None:
            self._of_organizations, self._of_everybody = _Shelf(), _Shelf()
            return
        # What belongs to everybody are files and addresses, which never change.
        shelf = self._of_organizations
        for key in [key for key in shelf.kept if key[0] == organization_id.int]:
            shelf.drop(key)

    def _shelf(self, key: Key) -> _Shelf:
        return self._of_everybody if key[0] is None else self._of_organizations


class KeptAnswerLayer:
    """Gives kept answers to those who are known already; all else goes on to the layers behind.

    What it gives is counted as any answer; its line in the log is written at level debug, since there are as many
    as the tools ask, and they all say the same.
    """

    def __init__(
        self, app: ASGIApp, cache: ByteCache, authentication: Authentication, counter: DownloadCounter
    ) -> None:
        """Take the application that stands behind, what is kept, who knows the keys, and who counts downloads."""
        self._app = app
        self._cache = cache
        self._authentication = authentication
        self._counter = counter
        self._is_logged = log.is_enabled_for(logging.DEBUG)  # asked once: a line that isn't written takes time too

    async def __call__(  # noqa: C901, PLR0912  in one pass: a call more for each part would be paid by each request
        self, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Handle one connection."""
        if scope["type"] != "http" or scope["query_string"]:
            await self._app(scope, receive, send)
            return
        began = time.monotonic()
        authorization = known = given = None
        agent = b""
        for name, value in scope["headers"]:
            if name == b"authorization":
                authorization = authorization or value
            elif name == b"user-agent":
                agent = value
            elif name == b"if-none-match":
                known = value if known is None else known + b"," + value
            elif name == b"x-request-id":
                given = given or value
            elif name == b"range":  # about parts the route decides
                await self._app(scope, receive, send)
                return
        method, path = scope["method"], scope["path"]
        kept = principal = None
        key = bearer_of(authorization)
        if key is not None:
            try:
                principal = self._authentication.known(key, began)
            except Unauthenticated:
                pass  # the layers behind say so
            else:
                if principal is not None:
                    kept = self._cache.find((principal.organization_id.int, method, path))
        if kept is None:
            kept = self._cache.find((None, method, alike(path)))  # what everybody gets
        if kept is None or not _may(principal, kept.permission):
            await self._app(scope, receive, send)
            return
        if kept.gave is not None and principal is not None:
            self._counter.note(kept.gave, principal.key_id, agent)
        request_id = request_id_of(given)
        status, headers, body, count = 200, kept.headers, kept.body, kept.count
        if known is not None:
            status, headers, body = _asked(kept, known)
            count = count_of(method, kept.pattern, status)
        headers = (*headers, (b"x-request-id", request_id.encode()))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})
        count.add(time.monotonic() - began)
        if self._is_logged:
            log.debug("request", method=method, route=kept.pattern, status=status, request_id=request_id)


class KeepingLayer:
    """Keeps what the application answers with 200, and gives it to whoever was let in since.

    While an answer is being built, others who ask for it wait for that one.
    """

    def __init__(self, app: ASGIApp, cache: ByteCache, counter: DownloadCounter) -> None:
        """Take the application that stands behind, where answers are kept, and who counts downloads."""
        self._app = app
        self._cache = cache
        self._counter = counter
        self._building: dict[Key, asyncio.Event] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        key = _key(scope)
        if key is None and (scope["type"] != "http" or not facts_in(scope).kept):
            await self._app(scope, receive, send)
            return
        kept = None if key is None else await self._find(key)
        if kept is not None:
            gave = kept.gave
            status, headers, body = _asked(kept, header(scope, b"if-none-match"))
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": body})
        else:
            gave = _gave(scope) if await self._build(key, scope, receive, send) else None
        principal: Principal | None = scope["state"].get("principal")
        if gave is not None and principal is not None:
            self._counter.note(gave, principal.key_id, header(scope, b"user-agent") or b"")

    async def _find(self, key: Key) -> Answer | None:
        kept, building = self._cache.find(key), self._building.get(key)
        if kept is None and building is not None:
            await building.wait()
            kept = self._cache.find(key)
        return kept

    async def _build(self, key: Key | None, scope: Scope, receive: Receive, send: Send) -> bool:
        """Let the application answer, and keep that if there is a key; tell whether it answered whole."""
        headers: RawHeaders | None = None
        is_whole, is_same, done = False, False, asyncio.Event()
        collected = None if key is None else _Collected(self._cache, key, scope)

        async def watched(message: Message) -> None:
            nonlocal headers, is_whole, is_same
            if message["type"] == "http.response.start":
                # Taken before the layers outside add theirs, such as this request's id.
                headers = tuple(message["headers"]) if message["status"] == 200 else None  # noqa: PLR2004  OK
                if headers is not None and collected is not None:
                    collected.begin(headers)
                if headers is not None and _has_tag(headers, header(scope, b"if-none-match")):
                    is_same = True
                    message["status"], message["headers"] = 304, list(_without_length(headers))
            else:
                # An application stops in the middle, and says nothing of it, when its client has gone.
                is_whole = headers is not None and not message.get("more_body", False)
                if collected is not None:
                    collected.add(message.get("body", b""), is_whole=is_whole)
                done.set()  # now it is kept, or comes in pieces; its own client's pace is nothing to wait for
                if is_same:
                    message["body"] = b""
            await send(message)

        if key is not None:
            self._building.setdefault(key, done)
        try:
            await self._app(scope, receive, watched)
        finally:
            if key is not None and self._building.get(key) is done:
                del self._building[key]
            done.set()
        return is_whole


class _Collected:
    """The body of an answer that is being given; kept once it is whole, if it says that it is small enough."""

    def __init__(self, cache: ByteCache, key: Key, scope: Scope) -> None:
        self._cache, self._key, self._scope = cache, key, scope
        self._since = cache.begin(key)
        self._headers: RawHeaders | None = None
        """None where nothing is collected."""
        self._length: int | None = None
        """Of the body, as declared; None for an answer to HEAD, which declares that of another."""
        self._body = bytearray()

    def begin(self, headers: RawHeaders) -> None:
        if self._scope["method"] != "HEAD":
            declared = Headers(raw=list(headers)).get("content-length")
            if declared is None or int(declared) > LARGEST_ANSWER:
                return
            self._length = int(declared)
        self._headers = headers

    def add(self, piece: bytes, *, is_whole: bool) -> None:
        if self._headers is None:
            return
        self._body += piece
        if is_whole:
            if self._length is None or self._length == len(self._body):
                answer = _answer(self._scope, self._headers, bytes(self._body))
                self._cache.keep(self._key, answer, since=self._since)
            self._body.clear()  # its client may take long for what is sent


def _answer(scope: Scope, headers: RawHeaders, body: bytes) -> Answer:
    facts = facts_in(scope)
    pattern = pattern_of(scope)
    return Answer(headers, body, facts.permission, pattern, count_of(scope["method"], pattern, 200), _gave(scope))


def _size_of(key: Key, answer: Answer) -> int:
    """Tell about how many bytes of memory a kept answer takes."""
    return (
        OVERHEAD + len(key[2]) + len(answer.body) + sum(len(name) + len(value) for name, value in answer.headers)
    )


def _asked(kept: Answer, known: bytes | None) -> tuple[int, RawHeaders, bytes]:
    """Give status, headers and body for a caller who knows, by If-None-Match, what has this tag."""
    if _has_tag(kept.headers, known):
        return 304, _without_length(kept.headers), b""
    return 200, kept.headers, kept.body


def _has_tag(headers: RawHeaders, known: bytes | None) -> bool:
    return known is not None and any(name == b"etag" and is_known(known, value) for name, value in headers)


def _without_length(headers: RawHeaders) -> RawHeaders:
    return tuple(each for each in headers if each[0] != b"content-length")


def _may(principal: Principal | None, permission: Permission | None) -> bool:
    return permission is None or (principal is not None and principal.rights.allow(permission, ORGANIZATION))


def _gave(scope: Scope) -> Given | None:
    """Tell the version that the route says it has told the place of."""
    gave: Given | None = scope["state"].get("gave")
    return gave


def _key(scope: Scope) -> Key | None:
    """Tell what is asked for; None for what is not kept."""
    if scope["type"] != "http" or scope["query_string"]:
        return None
    facts = facts_in(scope)
    if not facts.kept or header(scope, b"range") is not None:  # about parts the route decides
        return None
    if facts.permission is None:
        return None, scope["method"], alike(scope["path"])
    principal: Principal | None = scope["state"]["principal"]
    if principal is None or not _may(principal, facts.permission):
        return None
    return principal.organization_id.int, scope["method"], scope["path"]
