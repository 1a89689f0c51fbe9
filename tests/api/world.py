"""A world with one of everything in one organization, for the tests that try another one's key on all of it.

Each area adds its own things (`tests/api/<area>/things.py`). A new route with a path parameter or a body that none
of them knows fails those tests until it is added.
"""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

import httpx2
from fastapi.dependencies.utils import get_flat_params
from fastapi.routing import APIRoute
from sqlalchemy.ext.asyncio import AsyncEngine

from services.all import Services
from tests.factories.organizations import Caller
from tests.factories.registry import Form

WITH_BODY: Final = frozenset({"POST", "PUT", "PATCH"})
PARAMETER: Final = re.compile(r"\{(\w+)\}")
ID: Final = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
SHORTEST_TELLING: Final = 12
"""Shorter values, such as a version or an operating system, are in many answers by chance."""


@dataclass(frozen=True, slots=True)
class Body:
    """What a request sends."""

    content: object = None
    """JSON, a form, or a function of the asker's organization that makes one."""
    names_a_thing: bool = False
    """Whether it names something of the owner's, so that a stranger's answer is a 404."""

    def request(self, asker: UUID) -> tuple[dict[str, object], str]:
        """Give what an HTTP client takes beside the path, and what it says as text."""
        content = self.content(asker) if callable(self.content) else self.content
        return (content.request if isinstance(content, Form) else {"json": content}), str(content)


@dataclass(slots=True)
class World:
    """What there is: a value for each parameter of paths and queries, and a body for each operation with one."""

    client: httpx2.AsyncClient
    services: Services
    database_owner: AsyncEngine
    owner: Caller
    parameters: dict[str, str] = field(default_factory=dict)
    bodies: dict[str, Body] = field(default_factory=dict)
    """By operation."""
    ids: set[str] = field(default_factory=set)
    """All that the owner was shown."""

    @property
    def secrets(self) -> set[str]:
        """What must stand in no answer to a stranger: the owner's ids, names and keys."""
        names = {self.owner.organization.slug, str(self.owner.organization.id), *self.parameters.values()}
        return self.ids | {name for name in names if len(name) >= SHORTEST_TELLING}

    def names_a_thing(self, route: APIRoute) -> bool:
        """Tell whether a request to a route names something of the owner's that has to be there."""
        body = self.bodies.get(str(route.operation_id))
        return "{" in route.path or (body is not None and body.names_a_thing)

    async def ask(
        self, route: APIRoute, asker: Caller, headers: dict[str, str] | None = None
    ) -> tuple[httpx2.Response, str]:
        """Ask a route, with the owner's things wherever it takes one; give the answer, and what was said.

        An unknown parameter or body is a gap in the things of its area.
        """
        method = next(iter(route.methods or ()))
        path = PARAMETER.sub(lambda match: self.parameters[match[1]], route.path)
        taken = {parameter.alias for parameter in get_flat_params(route.dependant)} - set(
            PARAMETER.findall(route.path)
        )
        query = {name: self.parameters[name] for name in sorted(taken & self.parameters.keys())}
        request, said = (
            self.bodies[str(route.operation_id)].request(asker.organization.id)
            if method in WITH_BODY
            else ({}, "")
        )
        answer = await self.client.request(method, path, params=query, headers=headers or asker.headers, **request)  # type: ignore[arg-type]
        return answer, f"{path} {query} {said}"


Part = Callable[[World], Awaitable[None]]
"""Makes an area's things, and says in the world what they are called."""


async def make_world(
    client: httpx2.AsyncClient,
    services: Services,
    database_owner: AsyncEngine,
    owner: Caller,
    parts: tuple[Part, ...],
    reading: list[APIRoute],
) -> World:
    """Make one of everything, and let the owner look at all of it, which also warms what keeps answers."""
    world = World(client, services, database_owner, owner)
    for part in parts:
        await part(world)
    for route in reading:
        answer, _ = await world.ask(route, owner)
        world.ids.update(ID.findall(answer.text))
    return world
