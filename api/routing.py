"""What each route says of itself, once, and how whatever stands around the routes learns it.

A route declares who may call it (`Requires`, or `facts(public=...)`) and what is unusual about it. The layers find
a request's route by its path before anything of the request is read, so none of them knows a path by itself.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Final, TypeVar

from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute
from starlette.types import Scope

from api.dependencies import Requires
from domain.identity.permissions import Permission

Endpoint = TypeVar("Endpoint", bound=Callable[..., object])
PARAMETER: Final = re.compile(r"\{\w+\}")
DECLARED: Final = "__route_facts__"
IN_STATE: Final = "route_facts"


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteFacts:
    """What the layers have to know of a route. Without a declaration nothing is public, streamed or kept."""

    permission: Permission | None = None
    """What its caller must be allowed; taken from its `Requires`."""
    public: str | None = None
    """Why anybody may call it: whatever key is sent, nobody is asked whose it is."""
    probe: bool = False
    """It is asked every few seconds, and is not worth a line in the log."""
    streams_body: bool = False
    """It reads its body in pieces, and bounds it itself."""
    secret: bool = False
    """Its answer shows what is shown once: nothing on the way may store it."""
    kept: bool = False
    """Its answers are kept as bytes, for the caller's organization, or for everybody where it is public."""


NO_ROUTE: Final = RouteFacts()
"""Of a request that no route answers."""


def facts(
    *,
    public: str | None = None,
    probe: bool = False,
    streams_body: bool = False,
    secret: bool = False,
    kept: bool = False,
) -> Callable[[Endpoint], Endpoint]:
    """Declare what is unusual about a route; it stands between the router's decorator and the function."""
    declared = RouteFacts(public=public, probe=probe, streams_body=streams_body, secret=secret, kept=kept)

    def note(endpoint: Endpoint) -> Endpoint:
        setattr(endpoint, DECLARED, declared)
        return endpoint

    return note


def facts_of(route: APIRoute) -> RouteFacts:
    """Give all that a route declares.

    Raises:
        ValueError: it does not say who may call it, or says it twice, or keeps answers to a right that changes.
    """
    declared: RouteFacts = getattr(route.endpoint, DECLARED, NO_ROUTE)
    permissions = {requires.permission for requires in _required(route.dependant)}
    if len(permissions) != (0 if declared.public else 1):
        raise ValueError(f"{route.path} has to declare one permission (Requires), or why it is public (facts)")
    known = replace(declared, permission=next(iter(permissions), None))
    if known.kept and known.permission is not None and not known.permission.is_read:
        raise ValueError(f"{route.path} keeps its answers, so its permission has to be one to read")
    return known


def facts_in(scope: Scope) -> RouteFacts:
    """Give the facts of the route that a request is for, as the outermost layer found them."""
    found: RouteFacts = scope["state"][IN_STATE]
    return found


@dataclass(slots=True)
class _Node:
    """A place in the tree of all paths; each step down is a segment."""

    named: dict[str, "_Node"] = field(default_factory=dict)
    parameter: "_Node | None" = None
    routes: dict[str, tuple[APIRoute, RouteFacts]] = field(default_factory=dict)


class Routes:
    """All routes, found by method and path with a look into a dictionary for each segment."""

    def __init__(self, routes: Iterable[BaseRoute]) -> None:
        """Build the tree.

        Raises:
            ValueError: see `facts_of`; or a path has a parameter that is not a whole segment of any text.
        """
        self._root = _Node()
        self._methods: set[str] = set()
        for route in routes:
            if isinstance(route, APIRoute):
                self._add(route, facts_of(route))

    def find(self, method: str, path: str) -> tuple[APIRoute | None, RouteFacts]:
        """Give the route that will answer, and its facts; what no route answers has no facts."""
        return _find(self._root, path.split("/"), 0, method) or (None, NO_ROUTE)

    def all_at(self, path: str) -> dict[str, APIRoute]:
        """Give all routes that answer at a path, by method and in order of that; none where nothing is."""
        found = ((method, self.find(method, path)[0]) for method in sorted(self._methods))
        return {method: route for method, route in found if route is not None}

    def _add(self, route: APIRoute, known: RouteFacts) -> None:
        node = self._root
        for segment in route.path.split("/"):
            if PARAMETER.fullmatch(segment):
                node.parameter = node = node.parameter or _Node()
            elif "{" in segment:
                raise ValueError(f"{route.path}: a parameter is a whole segment, and any text")
            else:
                node = node.named.setdefault(segment, _Node())
        for method in route.methods or ():
            node.routes.setdefault(method, (route, known))
            self._methods.add(method)


def _find(node: _Node, segments: list[str], at: int, method: str) -> tuple[APIRoute, RouteFacts] | None:
    if at == len(segments):
        return node.routes.get(method)
    named = node.named.get(segments[at])
    found = None if named is None else _find(named, segments, at + 1, method)
    if found is None and node.parameter is not None and segments[at]:
        return _find(node.parameter, segments, at + 1, method)
    return found


def _required(dependant: Dependant) -> list[Requires]:
    here = [dependant.call] if isinstance(dependant.call, Requires) else []
    return here + [found for inner in dependant.dependencies for found in _required(inner)]
