"""A published release whose stored bytes a test may change, and have verified again."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from domain.registry.names import ProviderAddress
from domain.registry.providers import ProviderVersion
from domain.registry.verifications import Verification, VerificationReference
from services.all import Services
from tests.factories.organizations import Caller
from tests.factories.registry import NAMESPACES, PROVIDERS, Form, add_key, publish
from tests.fixtures.signing import Signer


def ignored() -> None:
    """Hear that a check goes on."""


@dataclass(frozen=True, slots=True)
class Published:
    """A release of one organization, and who has it checked."""

    client: httpx2.AsyncClient
    services: Services
    caller: Caller
    address: ProviderAddress
    key_id: str
    blob_folder: Path
    form: Form
    version: str = "0.1.0"

    async def ask(self) -> VerificationReference:
        wanted = await self.services.registry.verifications.request(self.caller.scope, self.address, self.version)
        return VerificationReference(organization_id=self.caller.organization.id, verification_id=wanted.id)

    async def check(self) -> Verification:
        """Have it checked; give what was found."""
        reference = await self.ask()
        await self.services.registry.verifications.perform(reference, alive=ignored)
        return (await self.found())[-1]

    async def publish_signed_by(self, signer: Signer) -> httpx2.Response:
        """Publish the same files with the signature of another key of the namespace."""
        await add_key(self.client, self.caller, self.address.namespace, signer)
        files = list(self.form.files)
        files[1] = (files[1][0], signer.sign(files[0][1]))
        return await publish(self.client, self.caller, PROVIDERS, Form(self.form.fields, files))

    async def found(self) -> list[Verification]:
        return await self.services.registry.verifications.page(
            self.caller.scope, self.address, self.version, after=None, limit=100
        )

    async def revoke_key(self) -> None:
        path = f"{NAMESPACES}/{self.address.namespace}/gpg-keys/{self.key_id}"
        assert (await self.client.delete(path, headers=self.caller.headers)).status_code == 204

    def file(self, sha256: str) -> Path:
        """Where the store keeps bytes."""
        return self.blob_folder / "sha256" / sha256[:2] / sha256

    async def listed(self) -> list[str]:
        """Which versions the command line tools find, through the kept answers."""
        return [each["version"] for each in (await self._versions())["versions"]]

    async def warnings(self) -> list[str]:
        """What the command line tools say of versions, through the kept answers."""
        warnings: list[str] = (await self._versions()).get("warnings", [])
        return warnings

    async def release(self) -> ProviderVersion:
        """What lists for people show of it."""
        [release] = await self.services.registry.providers.published(
            self.caller.scope, self.address, after=None, limit=2
        )
        return release

    async def _versions(self) -> dict[str, Any]:
        path = f"/v1/providers/{self.address}/versions"
        answer: dict[str, Any] = (await self.client.get(path, headers=self.caller.headers)).json()
        return answer

    async def download(self) -> httpx2.Response:
        path = f"/v1/providers/{self.address}/{self.version}/download/linux/amd64"
        return await self.client.get(path, headers=self.caller.headers)

    async def latest(self) -> str | None:
        [provider] = await self.services.registry.providers.page(self.caller.scope, after=None, limit=2)
        return provider.latest_version
