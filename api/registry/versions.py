"""Routes that list what was published, for people and pipelines; the tools' own lists are in api.protocols."""

from fastapi import APIRouter

from api.dependencies import ModuleService, ProviderService
from api.pagination import CallerPaging, Page
from api.registry.addresses import OfModule, OfProvider
from api.registry.callers import Reader
from domain.registry.modules import ModuleVersion
from domain.registry.providers import ProviderVersion

router = APIRouter(prefix="/api/v1", tags=["registry"])


@router.get("/modules/{namespace}/{name}/{system}/versions", operation_id="list_module_versions")
async def list_module_versions(
    address: OfModule,
    scope: Reader,
    modules: ModuleService,
    paging: CallerPaging,
) -> Page[ModuleVersion]:
    """List a module's versions in order of publication, deprecated and yanked ones included."""
    return await paging.of(lambda after, limit: modules.published(scope, address, after=after, limit=limit))


@router.get("/providers/{namespace}/{type}/versions", operation_id="list_provider_versions")
async def list_provider_versions(
    address: OfProvider,
    scope: Reader,
    providers: ProviderService,
    paging: CallerPaging,
) -> Page[ProviderVersion]:
    """List a provider's releases in order of publication, whatever became of them or of their keys."""
    return await paging.of(lambda after, limit: providers.published(scope, address, after=after, limit=limit))
