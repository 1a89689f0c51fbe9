"""What provisioning asks of the registry."""

from typing import Protocol

from domain.provisioning.runs import ModuleVersionReference
from domain.scope import Scope


class ModuleVersions(Protocol):
    """Finds published module versions."""

    async def find_version(self, scope: Scope, source: str, version: str) -> ModuleVersionReference | None:
        """Look a version up, as far as the organization may see it."""
        ...
