"""Modules in the shapes of the public registry, which user interfaces, bots and editors read; the CLIs do not.

What is published, withdrawn or read of a module's code shows at once. `downloads` may be half a minute behind:
they are added up every few seconds, and no kept answer is built anew for them before its time, which
api.protocols.cache sets.
"""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Response

from api.dependencies import ModuleService, OfferService
from api.protocols.answers import CallerOffsets, json_answer, moment
from api.registry.addresses import OfModule
from api.registry.callers import Reader
from api.routing import facts
from domain.registry.documents import Documents, DocumentsState, ModulePart, VersionDocuments
from domain.registry.errors import ModuleNotFound
from domain.registry.offers import ModuleDetail, ModuleOffer
from domain.registry.search import ModuleSearch
from domain.registry.versions import latest
from domain.scope import Scope
from domain.text import Text

router = APIRouter(prefix="/v1/modules", tags=["protocols"])

_NOTHING: Final = Documents(root=ModulePart(path="", name="", readme="", empty=True))

System = Annotated[
    Text | None, Query(alias="provider", max_length=64, description="Only those for this system, as in aws.")
]
Verified = Annotated[
    Text,
    Query(
        max_length=64,
        description="`true` for verified ones, which all are: nobody else can publish in a claimed namespace.",
    ),
]


@router.get("", operation_id="protocol_list_modules")
@facts(kept=True)
async def list_modules(
    scope: Reader,
    offers: OfferService,
    offsets: CallerOffsets,
    system: System = None,
    verified: Verified = "",  # noqa: ARG001  all are
) -> Response:
    """List all modules with their latest versions, in order of first publication."""
    return await _listed(scope, offers, offsets, ModuleSearch(system=system))


@router.get("/search", operation_id="protocol_search_modules")
async def search_modules(
    *,
    scope: Reader,
    offers: OfferService,
    offsets: CallerOffsets,
    q: Annotated[Text, Query(max_length=200, description="Beginnings of words in address or description.")] = "",
    namespace: Annotated[Text | None, Query(max_length=64, description="Only those of this namespace.")] = None,
    system: System = None,
    verified: Verified = "",  # noqa: ARG001  all are
) -> Response:
    """List the modules that have every word, with their latest versions, in order of first publication."""
    return await _listed(scope, offers, offsets, ModuleSearch(q=q, namespace=namespace, system=system))


@router.get("/{namespace}", operation_id="protocol_modules_of_namespace")
@facts(kept=True)
async def modules_of_namespace(
    *,
    namespace: str,
    scope: Reader,
    offers: OfferService,
    offsets: CallerOffsets,
    system: System = None,
    verified: Verified = "",  # noqa: ARG001  all are
) -> Response:
    """List the modules of a namespace with their latest versions."""
    none = ModuleNotFound("this namespace has no such modules", namespace=namespace)
    return await _listed(scope, offers, offsets, ModuleSearch(namespace=namespace, system=system), none=none)


@router.get("/{namespace}/{name}", operation_id="protocol_systems_of_module")
@facts(kept=True)
async def systems_of_module(
    namespace: str, name: str, scope: Reader, offers: OfferService, offsets: CallerOffsets
) -> Response:
    """List the modules of one name, each for another system, with their latest versions."""
    none = ModuleNotFound("there is no module of this name", module=f"{namespace}/{name}")
    return await _listed(scope, offers, offsets, ModuleSearch(namespace=namespace), name=name, none=none)


@router.get("/{namespace}/{name}/{system}", operation_id="protocol_latest_module")
@facts(kept=True)
async def latest_module(address: OfModule, scope: Reader, offers: OfferService) -> Response:
    """Show the latest version of a module, and what its code declares."""
    return json_answer(_detail(await offers.module(scope, address)))


@router.get("/{namespace}/{name}/{system}/download", operation_id="protocol_latest_module_download")
async def latest_module_download(address: OfModule, scope: Reader, modules: ModuleService) -> Response:
    """Send on to the download of the latest version."""
    version = latest(await modules.versions(scope, address))
    if version is None:
        raise ModuleNotFound("every version of this module is yanked", module=str(address))
    return Response(status_code=302, headers={"Location": f"/v1/modules/{address}/{version}/download"})


@router.get("/{namespace}/{name}/{system}/{version}", operation_id="protocol_module_version")
@facts(kept=True)
async def module_version(address: OfModule, version: str, scope: Reader, offers: OfferService) -> Response:
    """Show one version of a module, also one that is yanked, and what its code declares.

    The code is read within seconds of publishing. Until then, and where it can't be read, the root module is empty
    and there are no others; `documents` says how far that is, and why.
    """
    return json_answer(_detail(await offers.module(scope, address, version)))


async def _listed(
    scope: Scope,
    offers: OfferService,
    offsets: CallerOffsets,
    search: ModuleSearch,
    *,
    name: str | None = None,
    none: ModuleNotFound | None = None,
) -> Response:
    found = await offers.modules(scope, search, name=name, offset=offsets.offset, limit=offsets.to_find)
    if not found and offsets.offset == 0 and none is not None:
        raise none
    return offsets.answer("modules", [_entry(each) for each in found])


def _detail(found: ModuleDetail) -> dict[str, Any]:
    version, known = found.version, found.documents
    declared = known.documents or _NOTHING
    return {
        **_entry(found),
        "root": _part(declared.root) | {"name": version.name},
        "submodules": [_part(part) for part in declared.submodules],
        "examples": [_part(part) for part in declared.examples],
        "providers": found.systems,
        "versions": found.versions,
        "documents": {"state": known.state, "reason": _reason(known)},
        "deprecation": version.deprecation and version.deprecation.model_dump(mode="json"),
        "yank": version.yank and version.yank.model_dump(mode="json"),
    }


def _reason(known: VersionDocuments) -> str | None:
    return known.reason or ("its code is not read yet" if known.state is DocumentsState.PENDING else None)


def _part(part: ModulePart) -> dict[str, Any]:
    shown = part.model_dump(mode="json")
    # There a default is text at all times, and no text says that there is none.
    shown["inputs"] = [each | {"default": each["default"] or ""} for each in shown["inputs"]]
    return shown


def _entry(offer: ModuleOffer) -> dict[str, Any]:
    # What this registry does not know of a version is empty, as it is there for what nobody filled in.
    version = offer.version
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
        "downloads": offer.downloads,
        "verified": True,
    }
