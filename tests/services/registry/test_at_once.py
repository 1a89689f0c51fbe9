"""All that changes a provider and a module, at once and again: none of it waits for another crosswise."""

import asyncio
from collections.abc import AsyncIterator
from itertools import count
from typing import Final

import pytest

from domain.registry.names import ModuleAddress, ProviderAddress
from domain.registry.verifications import VerificationReference
from domain.scope import Scope
from services.all import Services
from services.registry.modules import PublishModule
from services.registry.releases import ReleaseFile
from tests.factories.organizations import Caller
from tests.factories.registry import LINUX, Release, new_namespace
from tests.fixtures.archives import a_provider_zip, a_tar_gz
from tests.fixtures.signing import Signer

pytestmark = pytest.mark.servers

ROUNDS: Final = 4
FIRST: Final = "0.1.0"


class Team:
    """Several who work on one provider and one module, each doing one thing as often as there are rounds."""

    def __init__(self, services: Services, scope: Scope, namespace: str) -> None:
        self._registry = services.registry
        self._scope = scope
        self._namespace = namespace
        self._provider = ProviderAddress(namespace, "time")
        self._module = ModuleAddress(namespace, "network", "aws")
        self._signer = Signer()
        self._number = count(1)

    async def begin(self) -> None:
        await self._registry.namespaces.claim(self._scope, self._namespace)
        await self.renew_key()
        await self._release(FIRST, self._signer)
        await self._publish_module(FIRST)

    async def publish_release(self) -> None:
        await self._release(self._next(), self._signer)

    async def publish_release_again(self) -> None:
        await self._release(FIRST, self._signer)

    async def publish_module(self) -> None:
        await self._publish_module(self._next())

    async def withdraw_release(self) -> None:
        withdrawals, which = self._registry.withdrawals, (self._scope, self._provider, FIRST)
        await withdrawals.yank(*which, "it deletes everything")
        await withdrawals.deprecate(*which, "use another", None)
        await withdrawals.unyank(*which)
        await withdrawals.undeprecate(*which)

    async def withdraw_module(self) -> None:
        await self._registry.withdrawals.yank(self._scope, self._module, FIRST, "it deletes everything")
        await self._registry.withdrawals.unyank(self._scope, self._module, FIRST)

    async def verify(self) -> None:
        asked = await self._registry.verifications.request(self._scope, self._provider, FIRST)
        reference = VerificationReference(organization_id=self._scope.organization_id, verification_id=asked.id)
        await self._registry.verifications.perform(reference, alive=lambda: None)

    async def renew_key(self) -> None:
        await self._registry.gpg_keys.add(self._scope, self._namespace, self._signer.public)

    async def revoke_key(self) -> None:
        signer = Signer()
        key, _ = await self._registry.gpg_keys.add(self._scope, self._namespace, signer.public)
        await self._release(self._next(), signer)
        await self._registry.gpg_keys.remove(self._scope, self._namespace, key.id)

    async def tick(self) -> None:
        await self._registry.verifications.look_after()
        await self._registry.documents.look_after()

    async def latest(self) -> tuple[str | None, str | None]:
        """Give what the rows of provider and module say is the latest."""
        [provider] = await self._registry.providers.page(self._scope, after=None, limit=2)
        [module] = await self._registry.modules.page(self._scope, after=None, limit=2)
        return provider.latest_version, module.latest_version

    async def highest(self) -> tuple[str | None, str | None]:
        """Give what can be installed, at its highest."""
        releases = await self._registry.providers.versions(self._scope, self._provider)
        return releases.offered[0].version, (await self._registry.modules.versions(self._scope, self._module))[0]

    def _next(self) -> str:
        return f"1.{next(self._number)}.0"

    async def _release(self, version: str, signer: Signer) -> None:
        package = a_provider_zip(version=version, content=f"{self._namespace} {version}".encode())
        release = Release(signer, version=version, packages={LINUX: package})
        await self._registry.providers.publish(self._scope, self._provider, version, _files(release))

    async def _publish_module(self, version: str) -> None:
        archive = a_tar_gz({"main.tf": f"# {self._namespace} {version}"})
        await self._registry.modules.publish(
            self._scope, PublishModule(self._module, version, f"version {version}"), _pieces(archive)
        )


class TestEverythingAtOnce:
    async def test_ends_and_leaves_the_latest_true(self, services: Services, caller: Caller) -> None:
        team = Team(services, caller.scope, new_namespace())
        await team.begin()
        each = (
            *(team.publish_release, team.publish_release_again, team.publish_module),
            *(team.withdraw_release, team.withdraw_module, team.verify, team.verify),
            *(team.renew_key, team.revoke_key, team.tick),
        )

        async def again_and_again(work: int) -> None:
            for _ in range(ROUNDS):
                await each[work]()  # a deadlock is Busy

        async with asyncio.TaskGroup() as tasks:
            for work in range(len(each)):
                tasks.create_task(again_and_again(work))
        assert await team.latest() == await team.highest()


async def _files(release: Release) -> AsyncIterator[ReleaseFile]:
    for name, content in release.files():
        yield ReleaseFile(name, _pieces(content))


async def _pieces(content: bytes) -> AsyncIterator[bytes]:
    yield content
