"""Remote service discovery: where the command line tools find each protocol on this host."""

from typing import Final

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from api.routing import facts

router = APIRouter(tags=["protocols"])

# The last slash counts: the provider client would drop what follows the one before.
SERVICES: Final = {"modules.v1": "/v1/modules/", "providers.v1": "/v1/providers/"}


@router.get("/.well-known/terraform.json", operation_id="discover_services")
@facts(public="the tools send no key before they know where to send it", kept=True)
async def discover_services() -> JSONResponse:
    """Tell where the protocols are; public, and exactly `application/json`, which the tools insist on."""
    return JSONResponse(SERVICES)
