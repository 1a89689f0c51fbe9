"""`groundwork openapi`: the API's description."""

import json
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from api.app import create_app
from cli.output import PEOPLE, Output
from config.secrets import Secrets
from services.registry.limits import RegistryLimits
from storage.blobs.local import LocalBlobStore
from storage.database import Database
from workers.composition import compose


def openapi(*, output: Output = PEOPLE) -> None:  # noqa: ARG001  every command takes it; this one prints JSON anyway
    """Print the OpenAPI 3.1 document. Needs no server and no settings.

    Examples:
      groundwork openapi > openapi.json
    """
    print(json.dumps(document(), indent=2, sort_keys=True))


def document() -> dict[str, object]:
    """Describe the API; nothing is connected to, since nothing is asked."""
    nowhere = "postgresql+psycopg://nobody@nowhere/none"
    secrets = Secrets(key_encryption_key=bytes(32), pepper=bytes(32), signing_key=bytes(32))
    with TemporaryDirectory() as folder:
        services = compose(
            Database(nowhere, nowhere),
            secrets,
            LocalBlobStore(Path(folder)),
            lease=timedelta(minutes=1),
            limits=RegistryLimits(),
            hostname="registry.example.com",
        )
        return create_app(services).openapi()
