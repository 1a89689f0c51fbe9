"""Providers in the shapes of the public registry, which user interfaces and bots read; the CLIs do not."""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response

from api.dependencies import ProviderService
from api.protocols.answers import CallerOffsets, Reader, json_answer, moment
from api.registry.addresses import provider_address
from api.routing import facts
from domain.registry.errors import ProviderNotFound
from domain.registry.names import ProviderAddress
from domain.registry.providers import ProviderVersion
from domain.registry.versions import latest

router = APIRouter(prefix="/v1/providers", tags=["protocols"])


@router.get("", operation_id="protocol_list_providers")
@facts(kept=True)
async def list_providers(scope: Reader, providers: ProviderService, offsets: CallerOffsets) -> Response:
    """List all providers with their latest versions, in order of first publication."""
    found = await providers.offered(scope, offset=offsets.offset, limit=offsets.to_find)
    return offsets.answer("providers", [_entry(each) for each in found])


@router.get("/{namespace}", operation_id="protocol_providers_of_namespace")
@facts(kept=True)
async def providers_of_namespace(
    namespace: str, scope: Reader, providers: ProviderService, offsets: CallerOffsets
) -> Response:
    """List the providers of a namespace with their latest versions."""
    found = await providers.offered(scope, namespace=namespace, offset=offsets.offset, limit=offsets.to_find)
    if not found and offsets.offset == 0:
        raise ProviderNotFound("this namespace has no providers", namespace=namespace)
    return offsets.answer("providers", [_entry(each) for each in found])


@router.get("/{namespace}/{type}", operation_id="protocol_latest_provider")
@facts(kept=True)
async def latest_provider(
    address: Annotated[ProviderAddress, Depends(provider_address)], scope: Reader, providers: ProviderService
) -> Response:
    """Show the latest version of a provider."""
    offered = [release.version for release in (await providers.versions(scope, address)).offered]
    version = latest(offered)
    if version is None:
        raise ProviderNotFound("no version of this provider can be installed", provider=str(address))
    return json_answer(_detail((await providers.get(scope, address, version)).release, offered))


@router.get("/{namespace}/{type}/{version}", operation_id="protocol_provider_version")
@facts(kept=True)
async def provider_version(
    address: Annotated[ProviderAddress, Depends(provider_address)],
    version: str,
    scope: Reader,
    providers: ProviderService,
) -> Response:
    """Show one version of a provider, also one that is yanked."""
    found = await providers.get(scope, address, version)
    offered = [release.version for release in (await providers.versions(scope, address)).offered]
    return json_answer(_detail(found.release, offered))


def _detail(found: ProviderVersion, offered: Sequence[str]) -> dict[str, Any]:
    return {
        **_entry(found),
        "versions": offered[::-1],
        "deprecation": found.deprecation and found.deprecation.model_dump(mode="json"),
        "yank": found.yank and found.yank.model_dump(mode="json"),
    }


def _entry(version: ProviderVersion) -> dict[str, Any]:
    # What this registry does not know of a version is empty, as it is there for what nobody filled in.
    return {
        "id": f"{version.namespace}/{version.type}/{version.version}",
        "owner": "",
        "namespace": version.namespace,
        "name": version.type,
        "version": version.version,
        "description": "",
        "source": "",
        "published_at": moment(version.published_at),
    }
