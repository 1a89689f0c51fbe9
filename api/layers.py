"""What stands around every request, as plain ASGI layers: its id, its caller, and what is refused unread.

What differs from route to route stands at the route (api.routing); no layer knows a path.
"""

import time
from datetime import UTC, datetime
from typing import Final

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.operations.metrics import count_of
from api.problems import error_response, http_error_response, unexpected_response
from api.requests import bearer_of, header, pattern_of, request_id_of
from api.routing import IN_STATE, Routes, facts_in
from domain.errors import PlatformError
from domain.identity.errors import Unauthenticated
from domain.identity.principal import Principal
from services.identity.authentication import Authentication

log = structlog.get_logger(__name__)

LONGEST_BODY: Final = 1 << 20
CONTROL: Final = frozenset(map(chr, (*range(32), 127)))
SEND_A_KEY: Final = "send an API key: Authorization: Bearer gwk_..."


class RequestLayer:
    """Finds each request's route, gives it an id, counts it, and logs it and what nobody foresaw.

    The id, which is bound to logs, is the caller's own X-Request-ID where that is a short word.
    """

    def __init__(self, app: ASGIApp, routes: Routes) -> None:
        """Take the application that stands behind, and all its routes."""
        self._app = app
        self._routes = routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        method, path = scope["method"], scope["path"]
        route, facts = self._routes.find(method, path)
        request_id = request_id_of(header(scope, b"x-request-id"))
        scope.setdefault("state", {}).update({"request_id": request_id, IN_STATE: facts})
        if route is not None:
            scope["route"] = route  # for who counts and logs by route, also where the router is never reached
        app = self._app if route is not None else self._of_no_route(scope)
        status, is_begun, is_whole = 500, False, False

        async def send_with_id(message: Message) -> None:
            nonlocal status, is_begun, is_whole
            if message["type"] == "http.response.start":
                status, is_begun = message["status"], True
                message["headers"] = [*message["headers"], (b"x-request-id", request_id.encode())]
                if facts.secret:
                    message["headers"].append((b"cache-control", b"no-store"))
                count_of(method, pattern_of(scope), status).add(time.perf_counter() - began)
            else:
                is_whole = not message.get("more_body", False)
            await send(message)

        bound = structlog.contextvars.bind_contextvars(request_id=request_id)
        try:
            await app(scope, receive, send_with_id)
        except Exception:
            log.exception("request_failed")
            if not is_begun:  # a layer's error, which the framework never saw
                await unexpected_response(Request(scope))(scope, receive, send_with_id)
            elif not is_whole:
                raise  # in the middle of an answer: all that is left is to close the connection
        finally:
            if not facts.probe:
                milliseconds = round((time.perf_counter() - began) * 1000, 1)
                log.info(
                    "request", method=method, route=pattern_of(scope), status=status, milliseconds=milliseconds
                )
            structlog.contextvars.reset_contextvars(**bound)

    def _of_no_route(self, scope: Scope) -> ASGIApp:
        """Give what answers where no route does: the framework has pages of its own, and says what is nowhere."""
        routes = self._routes.all_at(scope["path"])
        if not routes:
            return self._app
        allowed = ", ".join(routes)
        scope["route"] = next(iter(routes.values()))  # one of them: its pattern is counted
        # Said here, as the framework knows of one route's methods, and each method of a path is a route.
        error = HTTPException(405, f"this path does not take the method, only {allowed}", {"Allow": allowed})
        return http_error_response(Request(scope), error)


class AuthenticationLayer:
    """Finds out who calls, and refuses who may not, before anything of the body is read.

    A route says what its caller must be allowed (api.dependencies.Requires), and asks for it too; but the
    framework reads the whole body before it asks a route anything. For a public route nobody looks whose key is
    sent, since the CLIs send theirs to all of them, and probes are answered while no database is there.
    """

    def __init__(self, app: ASGIApp, authentication: Authentication) -> None:
        """Take the application that stands behind, and who knows the keys."""
        self._app = app
        self._authentication = authentication

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] == "http":
            state = scope.setdefault("state", {})
            state["principal"], state["refusal"] = None, Unauthenticated(SEND_A_KEY)
            permission = facts_in(scope).permission
            if permission is not None:
                try:
                    principal = await self._caller(scope)
                    principal.require(permission, now=datetime.now(UTC))
                except PlatformError as error:
                    await error_response(Request(scope), error)(scope, receive, send)
                    return
                state["principal"], state["refusal"] = principal, None
        await self._app(scope, receive, send)

    async def _caller(self, scope: Scope) -> Principal:
        key = bearer_of(header(scope, b"authorization"))
        if key is None:
            raise Unauthenticated(SEND_A_KEY)
        principal = await self._authentication.authenticate(key.decode("latin-1"))
        structlog.contextvars.bind_contextvars(organization_id=str(principal.organization_id))
        return principal


class InputLayer:
    """Refuses what no route takes: a control character in the path, and a body over a megabyte, told or counted.

    A route that streams its body bounds it itself.
    """

    def __init__(self, app: ASGIApp) -> None:
        """Take the application that stands behind."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        # No name has one. PostgreSQL can't even be asked for a NUL, and the framework overlooks the end of a line
        # behind a path, so its route would be another than the one whose permission was asked for.
        if scope["type"] == "http" and not CONTROL.isdisjoint(scope["path"]):
            nothing = HTTPException(404, "there is nothing at this path")
            await http_error_response(Request(scope), nothing)(scope, receive, send)
            return
        if scope["type"] != "http" or facts_in(scope).streams_body:
            await self._app(scope, receive, send)
            return
        error = HTTPException(413, "the body is longer than a megabyte, which is the most this path reads")
        declared = header(scope, b"content-length") or b"0"
        if not declared.isdigit() or int(declared) > LONGEST_BODY:
            await http_error_response(Request(scope), error)(scope, receive, send)
            return
        read = 0

        async def counted() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > LONGEST_BODY:
                raise error
            return message

        await self._app(scope, counted, send)
