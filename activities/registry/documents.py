"""The side effect of a module version's workflow."""

from temporalio import activity

from activities.errors import maps_errors
from domain.registry.documents import DocumentsRead, VersionReference
from services.registry.documents import ModuleDocuments


class DocumentActivities:
    """Reads what module versions declare; one instance per worker process."""

    def __init__(self, documents: ModuleDocuments) -> None:
        """Take the use cases."""
        self._documents = documents

    @activity.defn(name="registry.read_documents")
    @maps_errors
    async def read(self, reference: VersionReference) -> DocumentsRead:
        """See ModuleDocuments.read, which is harmless again, so any number of attempts is safe."""
        return await self._documents.read(reference)
