"""Modules in the registry, for tests that run them."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

from domain.registry.names import ModuleAddress
from services.all import Services
from services.registry.modules import PublishModule
from tests.factories.organizations import Caller
from tests.factories.registry import new_namespace
from tests.fixtures.archives import a_tar_gz


@dataclass(frozen=True, slots=True)
class Published:
    """A module version as runs name it."""

    source: str
    version: str

    def as_json(self) -> dict[str, str]:
        """Give the part of a request that names it."""
        return {"source": self.source, "version": self.version}


async def publish_module(
    services: Services, caller: Caller, files: Mapping[str, str], *, version: str = "1.0.0"
) -> Published:
    """Publish a module in a namespace of its own."""
    namespace = new_namespace()
    await services.registry.namespaces.claim(caller.scope, namespace)
    address = ModuleAddress(namespace, "thing", "local")
    await services.registry.modules.publish(caller.scope, PublishModule(address, version), once(a_tar_gz(files)))
    return Published(str(address), version)


async def once(data: bytes) -> AsyncIterator[bytes]:
    """Send bytes as one piece."""
    yield data
