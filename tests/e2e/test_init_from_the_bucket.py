"""The real terraform and the real tofu follow the registry to the bucket that its files are in."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest
from asgi_lifespan import LifespanManager

from api.app import create_app
from config.secrets import Secrets
from services.all import Services
from storage.blobs.s3 import S3BlobStore
from storage.database import Database
from tests.e2e import test_init
from tests.e2e.test_init import Published, workspace
from tests.factories.services import make_services
from tests.fixtures.https import HttpsServer, serve
from tests.fixtures.s3 import S3Server

pytestmark = pytest.mark.servers

published = test_init.published  # by the client below


class BucketThatClientsReadThemselves(S3BlobStore):
    """A store whose files the registry never sends."""

    def open(self, sha256: str, *, start: int = 0, stop: int | None = None) -> AsyncIterator[bytes]:
        pytest.fail(f"the registry read {sha256} from {start} to {stop}")


@pytest.fixture(scope="module")
async def over_the_bucket(
    database: Database, secrets: Secrets, s3: S3Server, tmp_path_factory: pytest.TempPathFactory
) -> Services:
    """Put the use cases together over a bucket."""
    folder = tmp_path_factory.mktemp("blobs")
    store = BucketThatClientsReadThemselves(folder, await s3.make_bucket(), gives_addresses=True)
    return make_services(database, secrets, store)


@pytest.fixture(scope="module")
async def client(over_the_bucket: Services) -> AsyncIterator[httpx2.AsyncClient]:
    """Make an HTTP client of the application over the bucket."""
    async with (
        LifespanManager(create_app(over_the_bucket)) as running,
        httpx2.AsyncClient(transport=httpx2.ASGITransport(app=running.app), base_url="http://test") as made,
    ):
        yield made


@pytest.fixture(scope="module")
async def https(over_the_bucket: Services, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[HttpsServer]:
    """Serve the application over the bucket."""
    async with serve(create_app(over_the_bucket), tmp_path_factory.mktemp("tls")) as server:
        yield server


@pytest.mark.parametrize("tool", ["terraform", "tofu"])
class TestInit:
    async def test_fetches_modules_and_provider_from_the_bucket(
        self,
        tmp_path: Path,
        https: HttpsServer,
        published: Published,
        tool: str,
    ) -> None:
        space = workspace(tmp_path, tool, https, published, way="host block", key=published.caller.key)
        status, said = await space.run("init", "-input=false")
        assert status == 0, said
        assert (await space.run("validate"))[0] == 0
