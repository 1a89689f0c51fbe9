"""What stands around every request, as plain ASGI layers: its id, its caller, and how much of a body is read.

What differs from route to route stands at the route (api.routing); no layer knows a path.
"""

import time
from typing import Final

import structlog
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import http_error_response, unexpected_response
from api.routing import IN_STATE, Routes, facts_in
from domain.errors import PlatformError
from domain.identity.errors import Unauthenticated
from domain.ids import new_id
from services.identity.authentication import Authentication

log = structlog.get_logger(__name__)

LONGEST_BODY: Final = 1 << 20
LONGEST_REQUEST_ID: Final = 100


class RequestLayer:
    """Finds each request's route, gives it an id, which is bound to logs, and answers what nobody foresaw.

    The id is the caller's own X-Request-ID where that is a short word. Errors are answered here because the
    framework would do it outside of all layers: without the id, and uncounted.
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
        given = Headers(scope=scope).get("x-request-id", "")
        short = given.isascii() and given.isprintable() and 0 < len(given) <= LONGEST_REQUEST_ID
        request_id = given if short else str(new_id())
        route, facts = self._routes.find(scope["method"], scope["path"])
        scope.setdefault("state", {}).update({"request_id": request_id, IN_STATE: facts})
        if route is not None:
            scope["route"] = route  # for who counts and logs by route, also where the router is never reached

        status, is_answered = 500, False

        async def send_with_id(message: Message) -> None:
            nonlocal status, is_answered
            if message["type"] == "http.response.start":
                status, is_answered = message["status"], True
                message["headers"] = [*message["headers"], (b"x-request-id", request_id.encode())]
                if facts.secret:
                    message["headers"].append((b"cache-control", b"no-store"))
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            if "\0" in scope["path"]:  # no name has one, and PostgreSQL can't even be asked
                error = HTTPException(404, "there is nothing at this path")
                await http_error_response(Request(scope), error)(scope, receive, send_with_id)
                return
            began = time.perf_counter()
            try:
                await self._app(scope, receive, send_with_id)
            except Exception:
                log.exception("request_failed")
                if is_answered:
                    raise  # in the middle of an answer: all that is left is to close the connection
                await unexpected_response(Request(scope))(scope, receive, send_with_id)
            finally:
                if not facts.probe:
                    _log_request(scope, status, time.perf_counter() - began)


def _log_request(scope: Scope, status: int, seconds: float) -> None:
    """Write a request's line, by the route's pattern: a path may hold what only its caller may know."""
    log.info(
        "request",
        method=scope["method"],
        route=getattr(scope.get("route"), "path", "none"),
        status=status,
        milliseconds=round(seconds * 1000, 1),
    )


class AuthenticationLayer:
    """Finds out who calls, before anything of the body is read.

    It refuses nobody: a route that needs a principal says so (api.dependencies.Requires) and refuses then, with
    what went wrong here. For a public route nobody looks whose key is sent, since the CLIs send theirs to all of
    them, and probes are answered while no database is there.
    """

    def __init__(self, app: ASGIApp, authentication: Authentication) -> None:
        """Take the application that stands behind, and who knows the keys."""
        self._app = app
        self._authentication = authentication

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] == "http":
            scheme, _, token = Headers(scope=scope).get("authorization", "").partition(" ")
            state = scope.setdefault("state", {})
            state["principal"], state["refusal"] = None, None
            if scheme.lower() == "bearer" and facts_in(scope).permission is not None:
                try:
                    principal = await self._authentication.authenticate(token.strip())
                except PlatformError as error:
                    state["refusal"] = error
                else:
                    state["principal"] = principal
                    structlog.contextvars.bind_contextvars(organization_id=str(principal.organization_id))
            else:
                state["refusal"] = Unauthenticated("send an API key: Authorization: Bearer gwk_...")
        await self._app(scope, receive, send)


class BodyLimitLayer:
    """Refuses bodies over a megabyte, by their declared length or by counting; who streams its own bounds it."""

    def __init__(self, app: ASGIApp) -> None:
        """Take the application that stands behind."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http" or facts_in(scope).streams_body:
            await self._app(scope, receive, send)
            return
        error = HTTPException(413, "the body is longer than a megabyte, which is the most this path reads")
        declared = Headers(scope=scope).get("content-length", "0")
        if not declared.isdecimal() or int(declared) > LONGEST_BODY:
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
