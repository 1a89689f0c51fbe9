"""Routes of what modules declare."""

from fastapi import APIRouter

from api.dependencies import ModuleDocumentService, ModuleService
from api.registry.addresses import OfModule
from api.registry.callers import ModulePublisher, Reader
from domain.registry.documents import VersionDocuments

router = APIRouter(prefix="/api/v1", tags=["registry"])


@router.get("/modules/{namespace}/{name}/{system}/{version}/documents", operation_id="get_module_documents")
async def get_module_documents(
    *,
    address: OfModule,
    version: str,
    scope: Reader,
    modules: ModuleService,
    documents: ModuleDocumentService,
) -> VersionDocuments:
    """Give the inputs, outputs, resources and dependencies of a module, its submodules and examples.

    They are read within seconds of publishing; until then, and where they can't be read, `state` says so.
    """
    found = await modules.get(scope, address, version)
    return await documents.of(scope, found.id)


@router.post(
    "/modules/{namespace}/{name}/{system}/{version}/documents",
    status_code=202,
    operation_id="read_module_documents",
)
async def read_module_documents(
    *,
    address: OfModule,
    version: str,
    scope: ModulePublisher,
    documents: ModuleDocumentService,
) -> VersionDocuments:
    """Have the documents of a version read once more, such as after a worker got a newer OpenTofu."""
    return await documents.read_again(scope, address, version)
