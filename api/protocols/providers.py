"""Providers in the shapes of the public registry, which user interfaces and bots read; the CLIs do not.

What is published or withdrawn shows at once; `downloads` may be half a minute behind, as that of modules.
"""

from typing import Any

from fastapi import APIRouter, Response

from api.dependencies import OfferService
from api.protocols.answers import CallerOffsets, json_answer, moment
from api.registry.addresses import OfProvider
from api.registry.callers import Reader
from api.routing import facts
from domain.registry.errors import ProviderNotFound
from domain.registry.offers import ProviderDetail, ProviderOffer

router = APIRouter(prefix="/v1/providers", tags=["protocols"])


@router.get("", operation_id="protocol_list_providers")
@facts(kept=True)
async def list_providers(scope: Reader, offers: OfferService, offsets: CallerOffsets) -> Response:
    """List all providers with their latest versions, in order of first publication."""
    found = await offers.providers(scope, offset=offsets.offset, limit=offsets.to_find)
    return offsets.answer("providers", [_entry(each) for each in found])


@router.get("/{namespace}", operation_id="protocol_providers_of_namespace")
@facts(kept=True)
async def providers_of_namespace(
    namespace: str, scope: Reader, offers: OfferService, offsets: CallerOffsets
) -> Response:
    """List the providers of a namespace with their latest versions."""
    found = await offers.providers(scope, namespace=namespace, offset=offsets.offset, limit=offsets.to_find)
    if not found and offsets.offset == 0:
        raise ProviderNotFound("this namespace has no providers", namespace=namespace)
    return offsets.answer("providers", [_entry(each) for each in found])


@router.get("/{namespace}/{type}", operation_id="protocol_latest_provider")
@facts(kept=True)
async def latest_provider(address: OfProvider, scope: Reader, offers: OfferService) -> Response:
    """Show the latest version of a provider."""
    return json_answer(_detail(await offers.provider(scope, address)))


@router.get("/{namespace}/{type}/{version}", operation_id="protocol_provider_version")
@facts(kept=True)
async def provider_version(
    address: OfProvider,
    version: str,
    scope: Reader,
    offers: OfferService,
) -> Response:
    """Show one version of a provider, also one that is yanked."""
    return json_answer(_detail(await offers.provider(scope, address, version)))


def _detail(found: ProviderDetail) -> dict[str, Any]:
    version = found.version
    return {
        **_entry(found),
        "versions": found.versions,
        "docs": [],
        "deprecation": version.deprecation and version.deprecation.model_dump(mode="json"),
        "yank": version.yank and version.yank.model_dump(mode="json"),
    }


def _entry(offer: ProviderOffer) -> dict[str, Any]:
    # What this registry does not know of a version is empty, as it is there for what nobody filled in.
    version = offer.version
    return {
        "id": f"{version.namespace}/{version.type}/{version.version}",
        "owner": "",
        "namespace": version.namespace,
        "name": version.type,
        "version": version.version,
        "description": "",
        "source": "",
        "published_at": moment(version.published_at),
        "downloads": offer.downloads,
    }
