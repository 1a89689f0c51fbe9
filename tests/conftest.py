"""Real servers for the tests, and the application before them. A test asks for what it needs and no more."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import httpx2
import hypothesis
import pytest
from asgi_lifespan import LifespanManager
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from api.app import create_app
from config.exit import end_process
from config.secrets import Secrets
from integrations.embedded.postgresql import PostgreSQL
from services.all import Services
from storage.blobs.local import LocalBlobStore
from storage.database import Database
from storage.migrations.upgrade import upgrade
from storage.roles import ensure_roles
from tests.factories import organizations
from tests.factories.organizations import OPERATOR, Caller
from tests.factories.services import make_services

# How long an example takes says nothing on a machine that others share.
hypothesis.settings.register_profile("shared machine", deadline=None)
hypothesis.settings.load_profile("shared machine")

pytest_plugins = [
    "tests.fixtures.attacker",
    "tests.fixtures.logs",
    "tests.fixtures.proofs",
    "tests.fixtures.walls",
    "tests.fixtures.https",
    "tests.fixtures.platform",
    "tests.fixtures.s3",
]


SERVERS = frozenset({"postgresql", "temporal", "s3"})
STATUS = pytest.StashKey[int]()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what asks for a server, so that `make test-fast` starts none, whoever forgets the marker."""
    for item in items:
        if SERVERS & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.servers)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Keep the status for the end."""
    session.config.stash[STATUS] = int(exitstatus)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """End as every process does that held a Temporal client; a worker of xdist is ended by its parent."""
    if STATUS in config.stash and not hasattr(config, "workerinput"):
        end_process(config.stash[STATUS])


@pytest.fixture(scope="session")
async def postgresql(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[PostgreSQL]:
    """Start a PostgreSQL server with the product's roles and schema."""
    async with PostgreSQL(tmp_path_factory.mktemp("postgresql"), durable=False) as server:
        ensure_roles(server.owner_url, server.app_url, server.platform_url)
        upgrade(server.owner_url)
        yield server


@pytest.fixture(scope="session")
async def owner(postgresql: PostgreSQL) -> AsyncIterator[AsyncEngine]:
    """Log in as the database's owner, which only tests and migrations do."""
    engine = create_async_engine(postgresql.owner_url)
    yield engine
    await engine.dispose()


@pytest.fixture(scope="session")
async def database(postgresql: PostgreSQL) -> AsyncIterator[Database]:
    """Open the product's two ways into PostgreSQL."""
    made = Database(postgresql.app_url, postgresql.platform_url)
    yield made
    await made.close()


@pytest.fixture(scope="session")
def secrets() -> Secrets:
    """Make an installation's secrets."""
    return Secrets(
        key_encryption_key=os.urandom(32),
        pepper=os.urandom(32),
        signing_key=os.urandom(32),
        previous_signing_key=os.urandom(32),
    )


@pytest.fixture(scope="session")
def blob_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make the folder that bytes are stored in."""
    return tmp_path_factory.mktemp("blobs")


@pytest.fixture(scope="session")
def blobs(blob_folder: Path) -> LocalBlobStore:
    """Make a store for bytes."""
    return LocalBlobStore(blob_folder)


@pytest.fixture(scope="session")
async def services(database: Database, secrets: Secrets, blobs: LocalBlobStore) -> Services:
    """Put the use cases together, and mark the blob store, as the product does."""
    made = make_services(database, secrets, blobs)
    await made.blobs.settle()
    return made


@pytest.fixture(scope="session")
async def client(services: Services) -> AsyncIterator[httpx2.AsyncClient]:
    """Make an HTTP client of the application; it sends no key of its own."""
    async with (
        LifespanManager(create_app(services)) as running,
        httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app=running.app, raise_app_exceptions=False), base_url="http://test"
        ) as made,
    ):
        yield made


@pytest.fixture(scope="session")
async def make_caller(services: Services) -> Callable[[], Awaitable[Caller]]:
    """Give a function that makes an organization and its administrator, each time another one."""
    return lambda: organizations.make_caller(services)


@pytest.fixture(scope="session")
async def operator(services: Services) -> dict[str, str]:
    """Give the headers of the installation's operator, whose key is made once."""
    key = await services.tenants.organizations.bootstrap(OPERATOR)
    assert key is not None
    assert await services.tenants.organizations.bootstrap(OPERATOR) is None
    return {"Authorization": f"Bearer {key}"}


@pytest.fixture
async def caller(make_caller: Callable[[], Awaitable[Caller]]) -> Caller:
    """Make an organization of the test's own; its administrator calls."""
    return await make_caller()


@pytest.fixture
async def stranger(make_caller: Callable[[], Awaitable[Caller]]) -> Caller:
    """Make another organization's administrator, who must find nothing."""
    return await make_caller()


@pytest.fixture(scope="session")
def repository() -> Path:
    """Give the folder that the project lies in."""
    return Path(__file__).parent.parent
