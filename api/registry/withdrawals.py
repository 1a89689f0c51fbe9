"""Routes that tell people not to use a published version any more."""

from fastapi import APIRouter

from api.dependencies import WithdrawalService
from api.json_bodies import StrictRoute
from api.registry.addresses import OfModule, OfProvider
from api.registry.callers import ModulePublisher, ProviderPublisher
from api.registry.schemas import DeprecationPut, YankPut
from domain.registry.withdrawals import Deprecation, Yank

router = APIRouter(prefix="/api/v1", tags=["registry"], route_class=StrictRoute)


MODULE_VERSION = "/modules/{namespace}/{name}/{system}/{version}"
PROVIDER_VERSION = "/providers/{namespace}/{type}/{version}"


@router.put(f"{MODULE_VERSION}/deprecation", operation_id="deprecate_module_version")
async def deprecate_module_version(
    address: OfModule, version: str, body: DeprecationPut, scope: ModulePublisher, withdrawals: WithdrawalService
) -> Deprecation:
    """Deprecate a version of a module: it is still offered. The tools have no place to show it for modules."""
    return await withdrawals.deprecate(scope, address, version, body.message, body.replacement)


@router.delete(f"{MODULE_VERSION}/deprecation", status_code=204, operation_id="undeprecate_module_version")
async def undeprecate_module_version(
    address: OfModule, version: str, scope: ModulePublisher, withdrawals: WithdrawalService
) -> None:
    """Take the deprecation of a module's version back; again is harmless."""
    await withdrawals.undeprecate(scope, address, version)


@router.put(f"{MODULE_VERSION}/yank", operation_id="yank_module_version")
async def yank_module_version(
    address: OfModule, version: str, body: YankPut, scope: ModulePublisher, withdrawals: WithdrawalService
) -> Yank:
    """Offer a version of a module no longer; its download still answers who asks for exactly it."""
    return await withdrawals.yank(scope, address, version, body.reason)


@router.delete(f"{MODULE_VERSION}/yank", status_code=204, operation_id="unyank_module_version")
async def unyank_module_version(
    address: OfModule, version: str, scope: ModulePublisher, withdrawals: WithdrawalService
) -> None:
    """Offer a yanked version of a module again; again is harmless."""
    await withdrawals.unyank(scope, address, version)


@router.put(f"{PROVIDER_VERSION}/deprecation", operation_id="deprecate_provider_version")
async def deprecate_provider_version(
    address: OfProvider,
    version: str,
    body: DeprecationPut,
    scope: ProviderPublisher,
    withdrawals: WithdrawalService,
) -> Deprecation:
    """Deprecate a version of a provider: it is still offered, and the tools print the message at `init`."""
    return await withdrawals.deprecate(scope, address, version, body.message, body.replacement)


@router.delete(f"{PROVIDER_VERSION}/deprecation", status_code=204, operation_id="undeprecate_provider_version")
async def undeprecate_provider_version(
    address: OfProvider, version: str, scope: ProviderPublisher, withdrawals: WithdrawalService
) -> None:
    """Take the deprecation of a provider's version back; again is harmless."""
    await withdrawals.undeprecate(scope, address, version)


@router.put(f"{PROVIDER_VERSION}/yank", operation_id="yank_provider_version")
async def yank_provider_version(
    address: OfProvider, version: str, body: YankPut, scope: ProviderPublisher, withdrawals: WithdrawalService
) -> Yank:
    """Offer a version of a provider no longer, and print why at `init`; its download still answers."""
    return await withdrawals.yank(scope, address, version, body.reason)


@router.delete(f"{PROVIDER_VERSION}/yank", status_code=204, operation_id="unyank_provider_version")
async def unyank_provider_version(
    address: OfProvider, version: str, scope: ProviderPublisher, withdrawals: WithdrawalService
) -> None:
    """Offer a yanked version of a provider again; again is harmless."""
    await withdrawals.unyank(scope, address, version)
