"""All routes at once: each says who may call it, and none shows one organization's things to another."""

import re
from collections.abc import Awaitable, Callable

import httpx2
import pytest
from fastapi.routing import APIRoute
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.routing import Match

from api.app import ROUTERS
from api.routing import Routes, facts_of
from domain.identity.permissions import PLATFORM_ONLY
from tests.api.world import World, make_world
from tests.factories.organizations import Caller
from tests.factories.registry import Form

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

    def test_names_are_unique(self) -> None:
        names = [route.operation_id for route in ROUTES]
        assert sorted(set(names), key=str) == sorted(names, key=str)


def path_of(route: APIRoute, world: World) -> str:
    """Fill in the route's path with the owner's things; an unknown parameter is a gap in tests.api.world."""
    return re.sub(r"\{(\w+)(?::path)?\}", lambda match: world.parameters[match[1]], route.path)


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


@pytest.fixture(scope="module")
async def world(client: httpx2.AsyncClient, make_caller: Callable[[], Awaitable[Caller]]) -> World:
    """Make one for all routes: each test sees to it that nothing in it changes."""
    return await make_world(client, await make_caller())


class TestAnotherOrganizationsKey:
    """The matrix: every route that needs a key, with the owner's things and a stranger's key."""

    @pytest.mark.parametrize("route", GUARDED, ids=named)
    async def test_finds_nothing_and_changes_nothing(
        self,
        route: APIRoute,
        client: httpx2.AsyncClient,
        world: World,
        stranger: Caller,
        owner: AsyncEngine,
        walls: str,
    ) -> None:
        before = await everything_of(owner, world.owner)
        method = next(iter(route.methods or ()))
        path = path_of(route, world)
        body = world.bodies[str(route.operation_id)] if method in {"POST", "PUT", "PATCH"} else None
        if callable(body):
            body = body()
        request = body.request if isinstance(body, Form) else {"json": body}
        answer = await client.request(method, path, headers=stranger.headers, **request)  # type: ignore[arg-type]

        names_a_thing = "{" in route.path or route.operation_id in world.by_reference
        if facts_of(route).permission in PLATFORM_ONLY:
            assert answer.status_code == 403, answer.text
        elif names_a_thing:
            assert answer.status_code == 404, answer.text
        else:
            assert answer.status_code < 300, answer.text
        sent = f"{path} {body}"  # what the stranger said may be said back
        leaked = [secret for secret in world.secrets if secret in answer.text and secret not in sent]
        assert leaked == [], f"with {walls}"
        assert await everything_of(owner, world.owner) == before, f"with {walls}"
