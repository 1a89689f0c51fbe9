"""The version that somebody asks for, however they write it."""

import httpx2
import pytest

from domain.registry.errors import ModuleNotFound, ProviderNotFound
from domain.registry.names import ModuleAddress, ProviderAddress
from storage.database import Database
from storage.registry import modules, providers
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
from tests.fixtures.signing import Signer

pytestmark = pytest.mark.servers

NOT_THERE = ("0.2.0", "", "vv0.1.0", "0.1.0+meta", "0.1.0\0", "\ud800", "0." * 10_000)


@pytest.fixture
async def namespace(client: httpx2.AsyncClient, caller: Caller) -> str:
    """Publish 0.1.0 of a module and of a provider."""
    namespace, signer = await claim_namespace(client, caller), Signer()
    await add_key(client, caller, namespace, signer)
    await publish(client, caller, MODULES, a_module(namespace))
    await publish(client, caller, PROVIDERS, a_provider(namespace, Release(signer)))
    return namespace


class TestGetVersion:
    async def test_reads_it_as_the_tools_do(self, database: Database, caller: Caller, namespace: str) -> None:
        module, provider = ModuleAddress(namespace, "network", "aws"), ProviderAddress(namespace, "time")
        async with database.transaction(caller.scope) as session:
            for version in ("0.1.0", "v0.1.0", "0.1", "v0.1"):
                of_module = await modules.get_version(session, caller.organization.id, module, version)
                of_provider = await providers.get_version(session, caller.organization.id, provider, version)
                assert (of_module.version, of_provider.version) == ("0.1.0", "0.1.0")

    async def test_says_what_is_not_there(
        self, database: Database, caller: Caller, stranger: Caller, namespace: str
    ) -> None:
        module, provider = ModuleAddress(namespace, "network", "aws"), ProviderAddress(namespace, "time")
        async with database.transaction(caller.scope) as session:
            for version in NOT_THERE:
                with pytest.raises(ModuleNotFound, match="no such version of this module"):
                    await modules.get_version(session, caller.organization.id, module, version)
                with pytest.raises(ProviderNotFound, match="no such version of this provider"):
                    await providers.get_version(session, caller.organization.id, provider, version)
        async with database.transaction(stranger.scope) as session:
            with pytest.raises(ModuleNotFound, match="no such module"):
                await modules.get_version(session, stranger.organization.id, module, "0.1.0")
            with pytest.raises(ProviderNotFound, match="no such provider"):
                await providers.get_version(session, stranger.organization.id, provider, "0.1.0")
