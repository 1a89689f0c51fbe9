"""How the layers learn what a route declares."""

from collections.abc import Callable
from typing import Annotated

import pytest
from fastapi import APIRouter, Depends
from fastapi.routing import APIRoute

from api.dependencies import Requires
from api.routing import NO_ROUTE, RouteFacts, Routes, facts
from domain.identity.permissions import Permission
from domain.scope import Scope

Reader = Annotated[Scope, Depends(Requires(Permission.RUN_READ))]
Submitter = Annotated[Scope, Depends(Requires(Permission.RUN_SUBMIT))]


def a_router() -> APIRouter:
    router = APIRouter(prefix="/things")

    @router.get("/all")
    @facts(public="everybody may know")
    async def every() -> None: ...

    @router.get("/{thing}")
    async def one(thing: str, scope: Reader) -> None: ...

    @router.put("/{thing}/content")
    @facts(streams_body=True)
    async def write(thing: str, scope: Submitter) -> None: ...

    @router.get("/all/{part}/name")
    @facts(kept=True)
    async def part(part: str, scope: Reader) -> None: ...

    return router


class TestFind:
    @pytest.mark.parametrize(
        ("method", "path", "found"),
        [
            ("GET", "/things/all", RouteFacts(public="everybody may know")),
            ("GET", "/things/any", RouteFacts(permission=Permission.RUN_READ)),
            ("PUT", "/things/any/content", RouteFacts(permission=Permission.RUN_SUBMIT, streams_body=True)),
            ("PUT", "/things/all/content", RouteFacts(permission=Permission.RUN_SUBMIT, streams_body=True)),
            ("GET", "/things/all/x/name", RouteFacts(permission=Permission.RUN_READ, kept=True)),
        ],
    )
    def test_gives_what_the_route_declares(self, method: str, path: str, found: RouteFacts) -> None:
        route, known = Routes(a_router().routes).find(method, path)
        assert isinstance(route, APIRoute)
        assert known == found

    @pytest.mark.parametrize(
        ("method", "path"),
        [
            ("POST", "/things/any"),
            ("GET", "/things/"),
            ("GET", "/things"),
            ("GET", "/things/any/"),
            ("GET", "/things/any/content"),
            ("GET", "things/all"),
            ("GET", "/" * 60_000),
            ("GET", ""),
        ],
        ids=lambda value: value[:20],
    )
    def test_gives_nothing_where_no_route_answers(self, method: str, path: str) -> None:
        assert Routes(a_router().routes).find(method, path) == (None, NO_ROUTE)


class TestMethodsAt:
    @pytest.mark.parametrize(
        ("path", "methods"),
        [("/things/any/content", ["GET", "PUT"]), ("/things/all", ["GET"]), ("/things", []), ("/things/all/", [])],
    )
    def test_are_those_of_all_routes_at_the_path(self, path: str, methods: list[str]) -> None:
        router = a_router()

        @router.get("/{thing}/content")
        async def content(thing: str, scope: Reader) -> None: ...

        assert Routes(router.routes).methods_at(path) == methods


class TestARouteIsRefused:
    def routes(self, endpoint: Callable[..., object], path: str = "/x") -> Routes:
        router = APIRouter()
        router.get(path)(endpoint)
        return Routes(router.routes)

    def test_without_saying_who_may_call_it(self) -> None:
        async def endpoint() -> None: ...

        with pytest.raises(ValueError, match="/x has to declare one permission"):
            self.routes(endpoint)

    def test_for_two_permissions(self) -> None:
        async def endpoint(one: Reader, two: Submitter) -> None: ...

        with pytest.raises(ValueError, match="one permission"):
            self.routes(endpoint)

    def test_for_a_permission_while_it_is_public(self) -> None:
        @facts(public="somebody said so")
        async def endpoint(scope: Reader) -> None: ...

        with pytest.raises(ValueError, match="one permission"):
            self.routes(endpoint)

    def test_for_keeping_what_takes_more_than_reading(self) -> None:
        @facts(kept=True)
        async def endpoint(scope: Submitter) -> None: ...

        with pytest.raises(ValueError, match="one to read"):
            self.routes(endpoint)

    @pytest.mark.parametrize("path", ["/{thing:path}", "/{thing}.txt", "/{number:int}"])
    def test_for_a_parameter_that_is_no_segment(self, path: str) -> None:
        @facts(public="for the test")
        async def endpoint() -> None: ...

        with pytest.raises(ValueError, match="whole segment"):
            self.routes(endpoint, path)
