"""JSON bodies that every reader reads alike, for routers that are made with `route_class=StrictRoute`.

Of two values for one key some readers take the first and others the last, so whoever looks at a request on its way
here could see another one. The framework's own parser takes the last.
"""

import json
from collections.abc import Callable, Coroutine
from typing import Any, Final

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

LONGEST_KEY: Final = 64
"""Characters of a key that an answer repeats."""
MARK: Final = "\ufeff"
"""What some editors write before a text; not every reader takes it as nothing."""


class StrictRoute(APIRoute):
    """A route that takes JSON only where the keys of an object differ and every number is one."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Give the framework's handler, with another reader of the body."""
        handle = super().get_route_handler()

        async def handle_strictly(request: Request) -> Response:
            return await handle(_StrictRequest(request.scope, request.receive))

        return handle_strictly


class _StrictRequest(Request):
    async def json(self) -> Any:  # noqa: ANN401  as the framework's
        """Read the body.

        Raises:
            json.JSONDecodeError: it is no JSON.
            HTTPException: it is JSON that this or another reader would not read, or would read differently.
        """
        body = await self.body()
        try:
            text = body.decode()  # not left to the reader: that guesses at UTF-16 and UTF-32 too
            if text.startswith(MARK):
                raise HTTPException(422, "the body begins with a byte order mark; send JSON in UTF-8 without one")
            return json.loads(text, object_pairs_hook=_each_key_once, parse_constant=_no_constant)
        except json.JSONDecodeError:
            raise
        except UnicodeDecodeError:
            raise HTTPException(422, "the body is no UTF-8; send JSON in UTF-8") from None
        except RecursionError:
            raise HTTPException(422, "the body is nested too deep; send what the route's schema says") from None
        except ValueError:  # Python reads no number of more than some thousand digits
            raise HTTPException(422, "a number in the body has too many digits; send a shorter one") from None


def _each_key_once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found: dict[str, object] = {}
    for key, value in pairs:
        if key in found:
            raise HTTPException(422, f"the body has the key {key[:LONGEST_KEY]!a} twice; send each key once")
        found[key] = value
    return found


def _no_constant(name: str) -> None:
    raise HTTPException(422, f"{name} is no number of JSON; leave it out or send null")
