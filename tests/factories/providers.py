"""Providers that are published without HTTP, for what needs one there."""

from collections.abc import AsyncIterator

from domain.registry.names import ProviderAddress
from domain.registry.verifications import VerificationReference
from domain.scope import Scope
from services.all import Services
from services.registry.releases import ReleaseFile
from tests.factories.registry import Release, new_namespace
from tests.fixtures.signing import Signer


async def publish_provider(services: Services, scope: Scope) -> tuple[ProviderAddress, str]:
    """Publish a good release, in a namespace and with a key of its own; give its address and version."""
    namespace, signer = new_namespace(), Signer()
    await services.registry.namespaces.claim(scope, namespace)
    await services.registry.gpg_keys.add(scope, namespace, signer.public)
    release = Release(signer)
    address = ProviderAddress(namespace, release.type)
    await services.registry.providers.publish(scope, address, release.version, _sent(release))
    return address, release.version


async def ask_for_verification(services: Services, scope: Scope) -> VerificationReference:
    """Publish a release, and ask for a check of it."""
    address, version = await publish_provider(services, scope)
    asked = await services.registry.verifications.request(scope, address, version)
    return VerificationReference(organization_id=scope.organization_id, verification_id=asked.id)


async def _sent(release: Release) -> AsyncIterator[ReleaseFile]:
    for name, content in release.files():
        yield ReleaseFile(name, _pieces(content))


async def _pieces(content: bytes) -> AsyncIterator[bytes]:
    yield content
