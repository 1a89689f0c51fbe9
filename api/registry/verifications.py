"""Routes of verifications: what each found of a provider release, and asking for another."""

from fastapi import APIRouter, Response

from api.dependencies import IdempotencyClaim, VerificationService
from api.pagination import CallerPaging, Page
from api.registry.addresses import OfProvider
from api.registry.callers import ProviderPublisher, Reader
from domain.registry.verifications import RequestedVerification, Verification

router = APIRouter(prefix="/api/v1", tags=["registry"])


@router.get("/providers/{namespace}/{type}/{version}/verifications", operation_id="list_verifications")
async def list_verifications(
    *,
    address: OfProvider,
    version: str,
    scope: Reader,
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
    address: OfProvider,
    version: str,
    scope: ProviderPublisher,
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
