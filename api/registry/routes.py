"""Routes of the registry for people and pipelines; api.protocols has those of the command line tools."""

from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from api.dependencies import (
    GpgKeyService,
    IdempotencyClaim,
    ModuleService,
    NamespaceService,
    ProviderService,
)
from api.json_bodies import StrictRoute
from api.pagination import CallerPaging, Page
from api.registry.callers import (
    KeyManager,
    ModulePublisher,
    NamespaceClaimer,
    NamespaceReader,
    ProviderPublisher,
    Reader,
)
from api.registry.schemas import MODULE_UPLOAD, PROVIDER_UPLOAD, GpgKeyCreate, NamespaceCreate
from api.registry.uploads import Upload
from api.routing import facts
from domain.registry.gpg_keys import GpgKey
from domain.registry.modules import Module, ModuleVersion
from domain.registry.names import ModuleAddress, ProviderAddress
from domain.registry.namespaces import Namespace
from domain.registry.providers import Provider, ProviderVersion
from domain.registry.search import ModuleSearch
from domain.text import Text
from services.registry.modules import PublishModule

router = APIRouter(prefix="/api/v1", tags=["registry"], route_class=StrictRoute)

MODULE_FIELDS: Final = frozenset({"namespace", "name", "system", "version"})
PROVIDER_FIELDS: Final = frozenset({"namespace", "type", "version"})
DESCRIPTION: Final = "description"
SEEN_BEFORE: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "It was there already, just the same."}
}


@router.post("/namespaces", status_code=201, operation_id="claim_namespace", responses=SEEN_BEFORE)
async def claim_namespace(
    body: NamespaceCreate,
    scope: NamespaceClaimer,
    namespaces: NamespaceService,
    claim: IdempotencyClaim,
    response: Response,
) -> Namespace:
    """Claim a namespace for the organization, for good; nobody else can publish in it."""
    claimed, is_new = await namespaces.claim(scope, body.name, claim)
    _say_if_new(response, is_new=is_new)
    return claimed


@router.get("/namespaces", operation_id="list_namespaces")
async def list_namespaces(
    scope: NamespaceReader,
    namespaces: NamespaceService,
    paging: CallerPaging,
) -> Page[Namespace]:
    """List the organization's namespaces in order of claiming."""
    return await paging.of(lambda after, limit: namespaces.page(scope, after=after, limit=limit))


@router.post(
    "/namespaces/{namespace}/gpg-keys", status_code=201, operation_id="add_gpg_key", responses=SEEN_BEFORE
)
async def add_gpg_key(
    *,
    namespace: str,
    body: GpgKeyCreate,
    scope: KeyManager,
    gpg_keys: GpgKeyService,
    claim: IdempotencyClaim,
    response: Response,
) -> GpgKey:
    """Add a public key that signs the namespace's providers, or bring a known one up to date."""
    added, is_new = await gpg_keys.add(scope, namespace, body.ascii_armor, claim)
    _say_if_new(response, is_new=is_new)
    return added


@router.get("/namespaces/{namespace}/gpg-keys", operation_id="list_gpg_keys")
async def list_gpg_keys(namespace: str, scope: NamespaceReader, gpg_keys: GpgKeyService) -> Page[GpgKey]:
    """List all keys of a namespace in order of adding, revoked ones included."""
    return Page(items=await gpg_keys.list(scope, namespace), next_cursor=None)


@router.delete("/namespaces/{namespace}/gpg-keys/{gpg_key_id}", status_code=204, operation_id="remove_gpg_key")
async def remove_gpg_key(
    namespace: str,
    gpg_key_id: UUID,
    scope: KeyManager,
    gpg_keys: GpgKeyService,
) -> None:
    """Take a key out of use for good: releases that it signed can no longer be installed. Again is harmless."""
    await gpg_keys.remove(scope, namespace, gpg_key_id)


@router.post(
    "/modules",
    status_code=201,
    operation_id="publish_module",
    openapi_extra=MODULE_UPLOAD,
    responses=SEEN_BEFORE,
)
@facts(streams_body=True)
async def publish_module(
    request: Request,
    scope: ModulePublisher,
    modules: ModuleService,
    response: Response,
) -> ModuleVersion:
    """Publish a module version from its archive (tar.gz or zip). The same bytes again are no error."""
    upload = Upload(request, known=MODULE_FIELDS | {DESCRIPTION}, required=MODULE_FIELDS)
    fields = await upload.fields()
    wanted = PublishModule(
        ModuleAddress(fields["namespace"], fields["name"], fields["system"]),
        fields["version"],
        fields.get(DESCRIPTION, ""),
    )
    published, is_new = await modules.publish(scope, wanted, upload.only_file())
    _say_if_new(response, is_new=is_new)
    return published


@router.get("/modules", operation_id="list_modules")
async def list_modules(
    scope: Reader,
    modules: ModuleService,
    paging: CallerPaging,
) -> Page[Module]:
    """List the organization's modules in order of first publication."""
    return await paging.of(lambda after, limit: modules.page(scope, after=after, limit=limit))


@router.get("/modules/search", operation_id="search_modules")
async def search_modules(
    *,
    scope: Reader,
    modules: ModuleService,
    paging: CallerPaging,
    q: Annotated[Text, Query(max_length=200, description="Beginnings of words in address or description.")] = "",
    namespace: Annotated[Text | None, Query(max_length=64, description="Only those of this namespace.")] = None,
    system: Annotated[Text | None, Query(max_length=64, description="Only those for this system.")] = None,
    deprecated: Annotated[
        bool | None, Query(description="Only those whose latest version is, or is not, deprecated.")
    ] = None,
) -> Page[Module]:
    """List the modules that have every word and are of what the filters say, in order of first publication."""
    search = ModuleSearch(q=q, namespace=namespace, system=system, deprecated=deprecated)
    return await paging.of(lambda after, limit: modules.page(scope, search, after=after, limit=limit))


@router.post(
    "/providers",
    status_code=201,
    operation_id="publish_provider",
    openapi_extra=PROVIDER_UPLOAD,
    responses=SEEN_BEFORE,
)
@facts(streams_body=True)
async def publish_provider(
    request: Request,
    scope: ProviderPublisher,
    providers: ProviderService,
    response: Response,
) -> ProviderVersion:
    """Publish a signed provider release, whole. The same files again are no error."""
    upload = Upload(request, known=PROVIDER_FIELDS, required=PROVIDER_FIELDS)
    fields = await upload.fields()
    address = ProviderAddress(fields["namespace"], fields["type"])
    published, is_new = await providers.publish(scope, address, fields["version"], upload.files())
    _say_if_new(response, is_new=is_new)
    return published


@router.get("/providers", operation_id="list_providers")
async def list_providers(
    scope: Reader,
    providers: ProviderService,
    paging: CallerPaging,
    q: Annotated[Text, Query(max_length=200, description="Beginnings of words in the address.")] = "",
) -> Page[Provider]:
    """List the organization's providers in order of first publication."""
    return await paging.of(lambda after, limit: providers.page(scope, q=q, after=after, limit=limit))


def _say_if_new(response: Response, *, is_new: bool) -> None:
    if not is_new:
        response.status_code = 200
