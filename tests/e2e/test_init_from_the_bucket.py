"""The real terraform and the real tofu follow the registry to the bucket that its files are in."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import httpx2
import pytest
from asgi_lifespan import LifespanManager

from api.app import create_app
from config.secrets import Secrets
from services.all import Services
from storage.blobs.s3 import S3BlobStore
from storage.database import Database
from tests.e2e.conformance.cases import Module, Provider
from tests.factories.organizations import Caller
from tests.factories.registry import (
    MODULES,
    PROVIDERS,
    Release,
    a_module,
    a_provider,
    add_key,
    claim_namespace,
    publish,
)
from tests.factories.services import make_services
from tests.fixtures.archives import a_provider_zip
from tests.fixtures.https import HOSTNAME, HttpsServer, app_at, serve
from tests.fixtures.s3 import S3Server
from tests.fixtures.signing import Signer
from tests.fixtures.workspaces import HERE, TOOLS, make_workspace

pytestmark = pytest.mark.servers


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
    async with serve(app_at(over_the_bucket), tmp_path_factory.mktemp("tls")) as server:
        yield server


@pytest.fixture(scope="module")
async def published(
    client: httpx2.AsyncClient, make_caller: Callable[[], Awaitable[Caller]]
) -> tuple[Caller, str]:
    """Publish a module and a provider; give their owner, and a configuration that uses them."""
    caller, signer = await make_caller(), Signer()
    namespace = await claim_namespace(client, caller)
    await add_key(client, caller, namespace, signer)
    release = Release(signer, packages={HERE: a_provider_zip()})
    for path, form in ((MODULES, a_module(namespace)), (PROVIDERS, a_provider(namespace, release))):
        answer = await publish(client, caller, path, form)
        assert answer.status_code == 201, answer.text
    uses = (Module("network"), Provider("time"))
    return caller, "".join(each.render(HOSTNAME, namespace) for each in uses)


@pytest.mark.parametrize("tool", TOOLS)
class TestInit:
    async def test_fetches_modules_and_provider_from_the_bucket(
        self, tmp_path: Path, https: HttpsServer, published: tuple[Caller, str], tool: str
    ) -> None:
        caller, configuration = published
        space = make_workspace(tmp_path, tool, https, configuration, key=caller.key)
        status, said = await space.run("init", "-input=false")
        assert status == 0, said
