"""What provisioning asks of the registry."""

from domain.provisioning.runs import ModuleVersionReference
from domain.registry.names import ModuleAddress
from domain.scope import Scope
from storage.database import Database
from storage.registry import modules


class ModuleVersions:
    """Finds published module versions."""

    def __init__(self, database: Database) -> None:
        """Take what the use case needs, made once at start-up."""
        self._database = database

    async def find_version(self, scope: Scope, source: str, version: str) -> ModuleVersionReference | None:
        """Look a version up, as far as the organization may see it; `source` is `<namespace>/<name>/<system>`."""
        address = ModuleAddress(*source.split("/"))
        async with self._database.transaction(scope) as session:
            found = await modules.find_version_at(session, scope.organization_id, address, version)
            if found is None:
                return None
            return ModuleVersionReference(source=source, version=version, digest=found.sha256)
