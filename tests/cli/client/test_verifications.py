"""Verifications of provider releases from the command line."""

import asyncio
import json

import httpx2
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from cli.client import releases
from domain.registry.names import ProviderAddress
from domain.registry.verifications import VerificationReference
from services.all import Services
from storage.blobs.local import LocalBlobStore
from tests.cli.client.commands import Commands
from tests.factories.organizations import Caller
from tests.factories.registry import NAMESPACES, PROVIDERS, Release, a_provider, add_key, claim_namespace, publish
from tests.fixtures.signing import Signer

pytestmark = pytest.mark.servers

VERSION = "0.1.0"


@pytest.fixture
async def address(client: httpx2.AsyncClient, caller: Caller) -> ProviderAddress:
    namespace, signer = await claim_namespace(client, caller), Signer()
    await add_key(client, caller, namespace, signer)
    await publish(client, caller, PROVIDERS, a_provider(namespace, Release(signer)))
    return ProviderAddress(namespace, "time")


@pytest.fixture
async def worker(
    monkeypatch: pytest.MonkeyPatch, services: Services, caller: Caller, address: ProviderAddress
) -> None:
    """Have a check made as soon as a command waits for it."""
    loop = asyncio.get_running_loop()

    async def make() -> None:
        asked = await services.registry.verifications.request(caller.scope, address, VERSION)
        reference = VerificationReference(organization_id=caller.organization.id, verification_id=asked.id)
        await services.registry.verifications.perform(reference, alive=lambda: None)

    monkeypatch.setattr(releases, "sleep", lambda _: asyncio.run_coroutine_threadsafe(make(), loop).result())


@pytest.fixture
async def lost(services: Services, caller: Caller, address: ProviderAddress, blobs: LocalBlobStore) -> str:
    """Lose the release's signature, which no other test has; give its name."""
    [published] = await services.registry.verifications.page(caller.scope, address, VERSION, after=None, limit=2)
    await blobs.delete(published.files[1].sha256)
    return published.files[1].name


@pytest.mark.usefixtures("worker")
class TestVerify:
    async def test_waits_for_what_the_check_finds(self, administrator: Commands, address: ProviderAddress) -> None:
        done = await administrator("providers", "verify", f"{address}", "v0.1")
        assert done.code == 0
        assert done.out.startswith(f"{address} v0.1 is verified: 4 file(s) are as they were published, and ")
        assert f"`groundwork providers verifications {address} v0.1` shows it later" in done.err
        listed = (await administrator("providers", "verifications", f"{address}", VERSION)).lines
        assert [line.split("\t")[1] for line in listed] == ["verified", "verified"]

    async def test_fails_where_the_check_refuses(
        self, administrator: Commands, client: httpx2.AsyncClient, caller: Caller, address: ProviderAddress
    ) -> None:
        keys = f"{NAMESPACES}/{address.namespace}/gpg-keys"
        [key] = (await client.get(keys, headers=caller.headers)).json()["items"]
        await client.delete(f"{keys}/{key['id']}", headers=caller.headers)
        done = await administrator("providers", "verify", f"{address}", VERSION)
        assert done.code == 1
        assert done.out.startswith(f"{address} {VERSION} is refused, and is not served: ")
        refused = await administrator("providers", "verify", f"{address}", VERSION, "--json")
        assert (refused.code, json.loads(refused.out)["result"]) == (1, "refused")

    async def test_fails_with_the_reason_where_a_file_is_gone(
        self, administrator: Commands, address: ProviderAddress, lost: str
    ) -> None:
        done = await administrator("providers", "verify", f"{address}", VERSION)
        assert done.code == 1
        gone = f"{lost} is gone from the blob store"
        assert (
            f"the verification of {address} {VERSION} is incomplete: it could not be verified: {gone}" in done.out
        )
        shown = (await administrator("providers", "show", f"{address}", VERSION)).out
        [line] = [line for line in shown.splitlines() if line.strip().startswith("incomplete")]
        assert gone in line

    async def test_asks_for_none_where_the_caller_may_not_read_what_it_finds(
        self, administrator: Commands, caller: Caller, address: ProviderAddress, owner: AsyncEngine
    ) -> None:
        words = ("keys", "create", "ci", "--kind", "service", "--scope", "provider:publish", "--quiet")
        administrator.environment(GROUNDWORK_KEY=(await administrator(*words)).out.strip())
        done = await administrator("providers", "verify", f"{address}", VERSION)
        assert (done.code, done.out) == (1, "")
        assert "this needs the permission registry:read; with --no-wait " in done.err
        asked = text("SELECT count(*) FROM verification_request WHERE organization_id = :id")
        async with owner.connect() as connection:
            assert await connection.scalar(asked, {"id": caller.organization.id}) == 0
        assert (await administrator("providers", "verify", f"{address}", VERSION, "--no-wait")).code == 0

    async def test_does_not_wait_where_that_is_not_wanted(
        self, administrator: Commands, address: ProviderAddress
    ) -> None:
        done = await administrator("providers", "verify", f"{address}", VERSION, "--no-wait")
        assert (done.code, done.err) == (0, "")
        assert len((await administrator("providers", "verifications", f"{address}", VERSION)).lines) == 1

    async def test_of_what_was_not_published_is_one_line(
        self, administrator: Commands, address: ProviderAddress
    ) -> None:
        done = await administrator("providers", "verify", f"{address}", "3.0.0")
        assert (done.code, done.out) == (1, "")
        assert f"`groundwork providers show {address}` lists the versions" in done.err
