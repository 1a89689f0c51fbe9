"""`groundwork openapi`: the API's description."""

import json

from api.app import create_routes
from cli.output import PEOPLE, Output


def openapi(*, output: Output = PEOPLE) -> None:  # noqa: ARG001  every command takes it; this one prints JSON anyway
    """Print the OpenAPI 3.1 document. Needs no server and no settings.

    Examples:
      groundwork openapi > openapi.json
    """
    print(json.dumps(document(), indent=2, sort_keys=True))


def document() -> dict[str, object]:
    """Describe the API; nothing is connected to, since nothing is asked."""
    return create_routes().openapi()
