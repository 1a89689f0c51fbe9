"""What provisioning asks of the registry."""

from domain.provisioning.runs import ModuleVersionReference
from domain.scope import Scope
from storage.database import Database
from storage.provisioning import modules


class ModuleVersions:
    """Finds published module versions."""

    def __init__(self, database: Database) -> None:
        """Take what the use case needs, made once at start-up."""
        self._database = database

    async def find_version(self, scope: Scope, source: str, version: str) -> ModuleVersionReference | None:
        """Look a version up, as far as the organization may see it; `source` is `<namespace>/<name>/<system>`."""
        async with self._database.transaction(scope) as session:
            digest = await modules.find_digest(session, scope.organization_id, source, version)
        return None if digest is None else ModuleVersionReference(source=source, version=version, digest=digest)
