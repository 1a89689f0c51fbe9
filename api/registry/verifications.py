"""Routes of verifications: what each found of a provider release, and asking for another."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from api.dependencies import IdempotencyClaim, Requires, VerificationService
from api.pagination import CallerPaging, Page
from domain.identity.permissions import Permission
from domain.registry.names import ProviderAddress
from domain.registry.verifications import RequestedVerification, Verification
from domain.scope import Scope

router = APIRouter(prefix="/api/v1", tags=["registry"])


async def _provider(namespace: str, type: str) -> ProviderAddress:
    return ProviderAddress(namespace, type)


Address = Annotated[ProviderAddress, Depends(_provider)]


@router.get("/providers/{namespace}/{type}/{version}/verifications", operation_id="list_verifications")
async def list_verifications(
    *,
    address: Address,
    version: str,
    scope: Annotated[Scope, Depends(Requires(Permission.REGISTRY_READ))],
    verifications: VerificationService,
    paging: CallerPaging,
) -> Page[Verification]:
    """List the verifications of a release, served or not: the first is its publication, and none ever changes."""
    return await paging.of(
        lambda after, limit: verifications.page(scope, address, version, after=after, limit=limit)
    )


@router.post(
    "/providers/{namespace}/{type}/{version}/verifications",
    status_code=202,
    operation_id="request_verification",
)
async def request_verification(
    *,
    address: Address,
    version: str,
    scope: Annotated[Scope, Depends(Requires(Permission.PROVIDER_PUBLISH))],
    verifications: VerificationService,
    claim: IdempotencyClaim,
    response: Response,
) -> RequestedVerification:
    """Have a release verified again: every stored byte, and the signature with today's keys.

    A release that is refused then is not served, until another verification is good. What was found is in the list
    under the id that this answers.
    """
    requested = await verifications.request(scope, address, version, claim)
    response.headers["Location"] = f"/api/v1/providers/{address.namespace}/{address.type}/{version}/verifications"
    return requested
