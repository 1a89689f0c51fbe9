"""The module and provider registry protocols, for terraform and tofu alike.

Addresses of files are whole: the two would follow relative ones, but bots that count the hashes of a lock file and
scanners that read modules do not. They begin with the address that the settings name, and never with a host that
the caller named, since an answer is kept for others too.
"""

import functools
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from api.dependencies import DownloadService, ModuleService, ProviderService, PublicUrl
from api.protocols.answers import json_answer, text_answer, written
from api.registry.addresses import OfModule, OfProvider
from api.registry.callers import Reader
from api.routing import facts
from domain.registry.downloads import DownloadKind, Given
from domain.registry.errors import ProviderNotFound
from domain.registry.names import Platform
from domain.registry.providers import ProviderPackage, ReleaseNames

router = APIRouter(prefix="/v1", tags=["protocols"])


async def _platform(os: str, arch: str) -> Platform:
    return Platform(os, arch)


@router.get("/modules/{namespace}/{name}/{system}/versions", operation_id="protocol_module_versions")
@facts(kept=True)
async def module_versions(address: OfModule, scope: Reader, modules: ModuleService) -> Response:
    """List the versions of a module, the highest first."""
    found = await modules.versions(scope, address)
    return json_answer({"modules": [{"versions": [{"version": version} for version in found]}]})


@router.get("/modules/{namespace}/{name}/{system}/{version}/download", operation_id="protocol_module_download")
@facts(kept=True)
async def module_download(
    *,
    address: OfModule,
    version: str,
    request: Request,
    scope: Reader,
    modules: ModuleService,
    downloads: DownloadService,
    public_url: PublicUrl,
) -> Response:
    """Tell where a module's archive is: in the body, which tofu reads, and the header, which terraform reads."""
    found = await modules.get(scope, address, version)
    request.state.gave = Given(scope.organization_id, DownloadKind.MODULE, found.id)
    # Tools tell an archive by the end of its address.
    filename = f"{address.name}-{found.version}.{found.format.value}"
    location = public_url + _file(downloads, found.sha256, filename)
    return json_answer({"location": location, "use_registry_credentials": False}, {"X-Terraform-Get": location})


@router.get("/providers/{namespace}/{type}/versions", operation_id="protocol_provider_versions")
@facts(kept=True)
async def provider_versions(
    address: OfProvider,
    scope: Reader,
    providers: ProviderService,
) -> Response:
    """List the versions of a provider with the platforms of each, the highest first, and what is wrong with some.

    Both tools print `warnings` at every `init` that asks for versions: of versions that are deprecated, yanked or
    refused, and that the key which signed the highest one expires soon, or has expired.
    """
    found = await providers.versions(scope, address)
    listed = ",".join(
        f'{{"version":"{release.version}",{_in_versions(release.protocols, release.platforms)}}}'
        for release in found.offered
    )
    warnings = f',"warnings":{written(found.warnings)}' if found.warnings else ""
    return text_answer(f'{{"versions":[{listed}]{warnings}}}')


@router.get(
    "/providers/{namespace}/{type}/{version}/download/{os}/{arch}", operation_id="protocol_provider_download"
)
@facts(kept=True)
async def provider_download(
    *,
    address: OfProvider,
    version: str,
    platform: Annotated[Platform, Depends(_platform)],
    request: Request,
    scope: Reader,
    providers: ProviderService,
    downloads: DownloadService,
    public_url: PublicUrl,
) -> Response:
    """Tell where a provider's package is, what it must hash to on every platform, and whose key signed that."""
    found = await providers.get(scope, address, version)
    release, names = found.release, ReleaseNames(address, found.release.version)
    offered = {Platform(package.os, package.arch): package for package in release.platforms}
    package = offered.get(platform)
    if package is None:
        listed = ", ".join(map(str, offered))
        raise ProviderNotFound(f"this version was not published for {str(platform)[:64]}, only for {listed}")
    request.state.gave = Given(scope.organization_id, DownloadKind.PROVIDER, release.id)
    answer: dict[str, Any] = {
        "protocols": release.protocols,
        "os": package.os,
        "arch": package.arch,
        "filename": package.filename,
        "download_url": public_url + _file(downloads, package.sha256, package.filename),
        "shasums_url": public_url + _file(downloads, release.checksums_sha256, names.checksums),
        "shasums_signature_url": public_url + _file(downloads, release.signature_sha256, names.signature),
        "shasum": package.sha256,
        "signing_keys": {"gpg_public_keys": [{"key_id": found.key.key_id, "ascii_armor": found.key.ascii_armor}]},
        "packages": {
            str(each): {"hashes": _hashes(other, package), "package_size": other.size}
            for each, other in offered.items()
        },
    }
    return json_answer(answer)


@functools.lru_cache(maxsize=128)
def _in_versions(protocols: tuple[str, ...], platforms: tuple[str, ...]) -> str:
    """Write what the list of versions says of a release: hundreds say the same, and writing takes longest."""
    divided = (platform.partition("_") for platform in platforms)
    shown = [{"os": os, "arch": arch} for os, _, arch in divided]
    return written({"protocols": protocols, "platforms": shown})[1:-1]


def _hashes(other: ProviderPackage, asked: ProviderPackage) -> list[str]:
    # tofu panics where one hash belongs to two platforms: what a universal binary shares is told once.
    return [each for each in other.hashes if other is asked or each not in asked.hashes]


def _file(downloads: DownloadService, sha256: str, filename: str) -> str:
    capability = downloads.capability(sha256, now=datetime.now(UTC))
    return f"/v1/files/{capability}/{sha256}/{filename}"
