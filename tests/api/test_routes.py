"""All routes at once: each says who may call it, and none shows one organization's things to another."""

import re
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import httpx2
import pytest
from fastapi.routing import APIRoute
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.routing import Match

from api.app import ROUTERS, create_routes
from api.json_bodies import StrictRoute
from api.routing import Routes, facts_of
from domain.identity.permissions import PLATFORM_ONLY
from services.all import Services
from tests.api.identity import things as identity
from tests.api.provisioning import things as provisioning
from tests.api.registry import things as registry
from tests.api.tenants import things as tenants
from tests.api.world import WITH_BODY, World, make_world
from tests.factories.organizations import Caller
from tests.fixtures.stored import never_asked_for

pytestmark = pytest.mark.servers

ROUTES = [route for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)]
GUARDED = [route for route in ROUTES if not facts_of(route).public]


def named(route: APIRoute) -> str:
    return f"{'/'.join(sorted(route.methods or ()))} {route.path}"


class TestEveryRoute:
    @pytest.mark.parametrize("route", ROUTES, ids=named)
    def test_has_a_name_a_tag_and_a_description(self, route: APIRoute) -> None:
        assert route.operation_id
        assert route.tags
        assert route.description

    @pytest.mark.parametrize("route", ROUTES, ids=named)
    def test_is_what_the_layers_find_at_its_path(self, route: APIRoute) -> None:
        path = re.sub(r"\{\w+\}", "x", route.path)
        for method in route.methods or ():
            scope = {"type": "http", "method": method, "path": path}
            answers = next(each for each in ROUTES if each.matches(scope)[0] is Match.FULL)
            assert answers is route, "a route before this one has the same path"
            assert Routes(ROUTES).find(method, path) == (route, facts_of(route))

    def test_reads_json_as_every_reader_would(self) -> None:
        taking_json = [route for route in ROUTES if route.body_field is not None]
        assert taking_json
        assert [named(route) for route in taking_json if not isinstance(route, StrictRoute)] == []

    def test_names_are_unique(self) -> None:
        names = [route.operation_id for route in ROUTES]
        assert sorted(set(names), key=str) == sorted(names, key=str)


Place = tuple[str, tuple[str, ...]]
"""Where a request takes a time: `query` or `body`, and the names down to it."""


def times_in(
    schema: dict[str, Any], schemas: dict[str, Any], path: tuple[str, ...] = ()
) -> Iterator[tuple[str, ...]]:
    """Find the times in a schema, by the names down to each; a list's items are named `0`."""
    name = schema.get("$ref", "").rpartition("/")[2]
    if name:
        yield from times_in(schemas[name], schemas, path)
    if schema.get("format") == "date-time":
        yield path
    for each in (*schema.get("anyOf", ()), *schema.get("oneOf", ()), *schema.get("allOf", ())):
        yield from times_in(each, schemas, path)
    for field, each in schema.get("properties", {}).items():
        yield from times_in(each, schemas, (*path, field))
    if "items" in schema:
        yield from times_in(schema["items"], schemas, (*path, "0"))


def taking_times() -> dict[str, list[Place]]:
    """Give the operations that take times, and where each does."""
    described = create_routes().openapi()
    schemas = described["components"]["schemas"]
    found: defaultdict[str, list[Place]] = defaultdict(list)
    for operation in [each for path in described["paths"].values() for each in path.values()]:
        for parameter in operation.get("parameters", ()):
            for _ in times_in(parameter["schema"], schemas):
                found[operation["operationId"]].append((parameter["in"], (parameter["name"],)))
        for content in operation.get("requestBody", {}).get("content", {}).values():
            for path in times_in(content["schema"], schemas):
                found[operation["operationId"]].append(("body", path))
    return found


class TestTimes:
    """What no calendar here can count with is refused where it comes in, as every other field that is wrong."""

    @pytest.mark.parametrize("extreme", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
    async def test_at_the_ends_of_all_time_are_refused_by_every_field(
        self, client: httpx2.AsyncClient, caller: Caller, extreme: str
    ) -> None:
        places = taking_times()
        assert sum(map(len, places.values())) >= 9  # as many as there were when this was written
        for route in ROUTES:
            for kind, names in places.get(str(route.operation_id), ()):
                path = re.sub(r"\{\w+\}", "x", route.path)
                body: object = extreme
                for name in reversed(names):
                    body = [body] if name == "0" else {name: body}
                sent = {"params": {names[0]: extreme}} if kind == "query" else {"json": body}
                method = next(iter(route.methods or ()))
                answer = await client.request(method, path, headers=caller.headers, **sent)
                at = "/".join((kind, *names))
                wrong = {error["at"]: error["detail"] for error in answer.json()["errors"]}
                assert "in the years" in wrong[at], f"{named(route)} {at}"


async def everything_of(owner: AsyncEngine, caller: Caller) -> dict[str, tuple[int, int]]:
    """Count and add up all rows of an organization, table by table, to see whether any came, went or changed."""
    async with owner.begin() as connection:
        found = await connection.execute(
            text("SELECT table_name FROM information_schema.columns WHERE column_name = 'organization_id'")
        )
        tables = {row.table_name for row in found if not row.table_name.startswith("audit_event_")}
        sums = {}
        for table in sorted(tables - {"api_key"}):  # api_key.last_used_at changes when its owner looks
            query = f'SELECT count(*), coalesce(sum(hashtextextended(t::text, 0)), 0) FROM "{table}" t'  # noqa: S608  a table of the catalog, not of the caller
            row = (
                await connection.execute(
                    text(f"{query} WHERE organization_id = :id"), {"id": caller.organization.id}
                )
            ).one()
            sums[table] = (row[0], int(row[1]))
        return sums


PARTS = (identity.add_things, tenants.add_things, registry.add_things, provisioning.add_things)
READING = [
    route
    for route in GUARDED
    if facts_of(route).permission not in PLATFORM_ONLY and "GET" in (route.methods or ())
]


@pytest.fixture(scope="module")
async def make_one(
    client: httpx2.AsyncClient,
    services: Services,
    owner: AsyncEngine,
    make_caller: Callable[[], Awaitable[Caller]],
) -> Callable[[], Awaitable[World]]:
    async def make() -> World:
        return await make_world(client, services, owner, await make_caller(), PARTS, READING)

    return make


@pytest.fixture(scope="module")
async def world(make_one: Callable[[], Awaitable[World]]) -> World:
    """Make one for all routes: each test sees to it that nothing in it changes."""
    return await make_one()


@pytest.fixture(scope="module")
async def world_to_change(make_one: Callable[[], Awaitable[World]]) -> World:
    """Make another one, which its owner may change."""
    return await make_one()


@pytest.fixture(scope="module")
async def useless_key(client: httpx2.AsyncClient, make_caller: Callable[[], Awaitable[Caller]]) -> str:
    """Make a key that may list namespaces, for which nobody sends a body."""
    headers = (await make_caller()).headers
    body = {"name": "lists namespaces", "scopes": ["namespace:read"]}
    key: str = (await client.post("/api/v1/api-keys", json=body, headers=headers)).json()["key"]
    return key


class TestBodies:
    @pytest.mark.parametrize("route", [each for each in GUARDED if WITH_BODY & (each.methods or set())], ids=named)
    async def test_of_who_may_not_are_not_asked_for(
        self, client: httpx2.AsyncClient, useless_key: str, route: APIRoute
    ) -> None:
        method, path = next(iter(route.methods or ())), re.sub(r"\{\w+\}", "x", route.path)
        for authorization, status in ((None, 401), ("Bearer gwk_x", 401), (f"Bearer {useless_key}", 403)):
            headers = {"Content-Type": "application/json"}
            if authorization is not None:
                headers["Authorization"] = authorization
            answer = await client.request(method, path, content=never_asked_for(), headers=headers)
            assert answer.status_code == status, answer.text


class TestItsOwnKey:
    """What makes the matrix below mean something: the owner's own key finds all that a stranger is to miss."""

    @pytest.mark.parametrize("route", GUARDED, ids=named)
    async def test_finds_what_the_request_names(
        self, route: APIRoute, world: World, world_to_change: World, operator: dict[str, str]
    ) -> None:
        asked = world if route in READING else world_to_change
        headers = operator if facts_of(route).permission in PLATFORM_ONLY else None
        answer, _ = await asked.ask(route, asked.owner, headers)
        assert answer.status_code < 300 or answer.status_code in {302, 409, 422}, answer.text
        if route in READING:
            assert answer.status_code in {200, 302}


class TestAnotherOrganizationsKey:
    """The matrix: every route that needs a key, with the owner's things and a stranger's key."""

    @pytest.mark.parametrize("route", GUARDED, ids=named)
    async def test_finds_nothing_and_changes_nothing(
        self, route: APIRoute, world: World, stranger: Caller, owner: AsyncEngine, walls: str
    ) -> None:
        before = await everything_of(owner, world.owner)
        answer, said = await world.ask(route, stranger)

        if facts_of(route).permission in PLATFORM_ONLY:
            assert answer.status_code == 403, answer.text
        elif world.names_a_thing(route):
            assert answer.status_code == 404, answer.text
        else:
            assert answer.status_code < 300, answer.text
        # What the stranger said may be said back.
        assert [secret for secret in world.secrets if secret in answer.text and secret not in said] == []
        assert await everything_of(owner, world.owner) == before, f"with {walls}"


class TestAnotherWorld:
    async def test_of_the_same_names_shares_nothing_with_the_first(
        self, make_one: Callable[[], Awaitable[World]], world: World, owner: AsyncEngine, walls: str
    ) -> None:
        before = await everything_of(owner, world.owner)
        other = await make_one()
        assert other.ids & world.ids == set(), f"with {walls}"
        assert await everything_of(owner, world.owner) == before, f"with {walls}"
