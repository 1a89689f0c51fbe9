"""Routes of organizations."""

from typing import Annotated

from fastapi import APIRouter, Depends

from api.dependencies import CallerPrincipal, IdempotencyClaim, OrganizationService, Requires
from api.json_bodies import StrictRoute
from api.pagination import CallerPaging, Page
from api.routing import facts
from api.tenants.schemas import OrganizationCreate, OrganizationCreated
from domain.identity.permissions import Permission
from domain.scope import Scope
from domain.tenants.organizations import Organization
from services.tenants.organizations import CreateOrganization

router = APIRouter(prefix="/api/v1/organizations", tags=["organizations"], route_class=StrictRoute)


@router.post("", status_code=201, operation_id="create_organization")
@facts(secret=True)
async def create_organization(
    body: OrganizationCreate,
    scope: Annotated[Scope, Depends(Requires(Permission.ORGANIZATION_CREATE))],
    organizations: OrganizationService,
    claim: IdempotencyClaim,
) -> OrganizationCreated:
    """Create an organization and its first administrator, whose key is in the answer and never shown again.

    With an Idempotency-Key, the same request again makes nothing and can't show the key: it is answered 409
    `platform.already_made`, with the organization's id.
    """
    request = CreateOrganization(body.slug, body.display_name, body.administrator_email)
    organization, key = await organizations.create(scope, request, claim)
    return OrganizationCreated(**organization.model_dump(), administrator_key=key)


@router.get("", operation_id="list_organizations")
async def list_organizations(
    _: Annotated[Scope, Depends(Requires(Permission.ORGANIZATION_READ))],
    principal: CallerPrincipal,
    organizations: OrganizationService,
    paging: CallerPaging,
) -> Page[Organization]:
    """List the caller's organization; an operator of the installation sees all of them."""
    return await paging.of(lambda after, limit: organizations.page(principal, after=after, limit=limit))
