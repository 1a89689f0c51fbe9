"""Modules in the shapes of the public registry, which user interfaces, bots and editors read; the CLIs do not."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Response

from api.dependencies import ModuleService
from api.protocols.answers import CallerOffsets, Reader, json_answer, moment
from api.registry.addresses import module_address
from api.routing import facts
from domain.registry.errors import ModuleNotFound
from domain.registry.modules import ModuleVersion
from domain.registry.names import ModuleAddress
from domain.registry.search import ModuleSearch
from domain.registry.versions import latest
from domain.scope import Scope
from domain.text import Text
from services.registry.modules import Modules

router = APIRouter(prefix="/v1/modules", tags=["protocols"])

MOST_SYSTEMS: Final = 1_000
"""Of modules of one name; nobody has so many."""
System = Annotated[
    Text | None, Query(alias="provider", max_length=64, description="Only those for this system, as in aws.")
]
Verified = Annotated[
    bool,
    Query(description="Only verified ones, which all are: nobody else can publish in a claimed namespace."),
]


@router.get("", operation_id="protocol_list_modules")
@facts(kept=True)
async def list_modules(
    scope: Reader,
    modules: ModuleService,
    offsets: CallerOffsets,
    system: System = None,
    verified: Verified = False,  # noqa: ARG001  all are
) -> Response:
    """List all modules with their latest versions, in order of first publication."""
    found = await modules.offered(scope, ModuleSearch(system=system), offset=offsets.offset, limit=offsets.to_find)
    return offsets.answer("modules", [_entry(each) for each in found])


@router.get("/search", operation_id="protocol_search_modules")
@facts(kept=True)
async def search_modules(
    *,
    scope: Reader,
    modules: ModuleService,
    offsets: CallerOffsets,
    q: Annotated[Text, Query(max_length=200, description="Beginnings of words in address or description.")] = "",
    namespace: Annotated[Text | None, Query(max_length=64, description="Only those of this namespace.")] = None,
    system: System = None,
    verified: Verified = False,  # noqa: ARG001  all are
) -> Response:
    """List the modules that have every word, with their latest versions, in order of first publication."""
    search = ModuleSearch(q=q, namespace=namespace, system=system)
    found = await modules.offered(scope, search, offset=offsets.offset, limit=offsets.to_find)
    return offsets.answer("modules", [_entry(each) for each in found])


@router.get("/{namespace}", operation_id="protocol_modules_of_namespace")
@facts(kept=True)
async def modules_of_namespace(
    *,
    namespace: str,
    scope: Reader,
    modules: ModuleService,
    offsets: CallerOffsets,
    system: System = None,
    verified: Verified = False,  # noqa: ARG001  all are
) -> Response:
    """List the modules of a namespace with their latest versions."""
    search = ModuleSearch(namespace=namespace, system=system)
    found = await modules.offered(scope, search, offset=offsets.offset, limit=offsets.to_find)
    if not found and offsets.offset == 0:
        raise ModuleNotFound("this namespace has no such modules", namespace=namespace)
    return offsets.answer("modules", [_entry(each) for each in found])


@router.get("/{namespace}/{name}", operation_id="protocol_systems_of_module")
@facts(kept=True)
async def systems_of_module(
    namespace: str, name: str, scope: Reader, modules: ModuleService, offsets: CallerOffsets
) -> Response:
    """List the modules of one name, each for another system, with their latest versions."""
    search = ModuleSearch(namespace=namespace)
    found = await modules.offered(scope, search, name=name, offset=offsets.offset, limit=offsets.to_find)
    if not found and offsets.offset == 0:
        raise ModuleNotFound("there is no module of this name", module=f"{namespace}/{name}")
    return offsets.answer("modules", [_entry(each) for each in found])


@router.get("/{namespace}/{name}/{system}", operation_id="protocol_latest_module")
@facts(kept=True)
async def latest_module(
    address: Annotated[ModuleAddress, Depends(module_address)], scope: Reader, modules: ModuleService
) -> Response:
    """Show the latest version of a module."""
    versions = await modules.versions(scope, address)
    found = await modules.get(scope, address, _latest(address, versions))
    return json_answer(await _detail(scope, modules, found, versions))


@router.get("/{namespace}/{name}/{system}/download", operation_id="protocol_latest_module_download")
async def latest_module_download(
    address: Annotated[ModuleAddress, Depends(module_address)], scope: Reader, modules: ModuleService
) -> Response:
    """Send on to the download of the latest version."""
    version = _latest(address, await modules.versions(scope, address))
    return Response(status_code=302, headers={"Location": f"/v1/modules/{address}/{version}/download"})


@router.get("/{namespace}/{name}/{system}/{version}", operation_id="protocol_module_version")
@facts(kept=True)
async def module_version(
    address: Annotated[ModuleAddress, Depends(module_address)], version: str, scope: Reader, modules: ModuleService
) -> Response:
    """Show one version of a module, also one that is yanked."""
    found = await modules.get(scope, address, version)
    return json_answer(await _detail(scope, modules, found, await modules.versions(scope, address)))


def _latest(address: ModuleAddress, versions: list[str]) -> str:
    version = latest(versions)
    if version is None:
        raise ModuleNotFound("every version of this module is yanked", module=str(address))
    return version


async def _detail(scope: Scope, modules: Modules, found: ModuleVersion, versions: list[str]) -> dict[str, Any]:
    siblings = await modules.offered(
        scope, ModuleSearch(namespace=found.namespace), name=found.name, offset=0, limit=MOST_SYSTEMS
    )
    return {
        **_entry(found),
        "providers": sorted(sibling.system for sibling in siblings),
        "versions": versions[::-1],
        "deprecation": found.deprecation and found.deprecation.model_dump(mode="json"),
        "yank": found.yank and found.yank.model_dump(mode="json"),
    }


def _entry(version: ModuleVersion) -> dict[str, Any]:
    # What this registry does not know of a version is empty, as it is there for what nobody filled in.
    return {
        "id": f"{version.namespace}/{version.name}/{version.system}/{version.version}",
        "owner": "",
        "namespace": version.namespace,
        "name": version.name,
        "version": version.version,
        "provider": version.system,
        "description": version.description,
        "source": "",
        "published_at": moment(version.published_at),
        "verified": True,
    }
