"""Routes of API keys."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends

from api.dependencies import ApiKeyService, CallerPrincipal, IdempotencyClaim, Requires
from api.identity.schemas import ApiKeyCreate, ApiKeyCreated
from api.json_bodies import StrictRoute
from api.pagination import CallerPaging, Page
from api.routing import facts
from domain.identity.keys import ApiKey
from domain.identity.permissions import Permission
from domain.scope import Scope
from services.identity.api_keys import CreateKey

router = APIRouter(prefix="/api/v1/api-keys", tags=["identity"], route_class=StrictRoute)


@router.post("", status_code=201, operation_id="create_api_key")
@facts(secret=True)
async def create_api_key(
    *,
    body: ApiKeyCreate,
    scope: Annotated[Scope, Depends(Requires(Permission.API_KEY_CREATE))],
    principal: CallerPrincipal,
    api_keys: ApiKeyService,
    claim: IdempotencyClaim,
) -> ApiKeyCreated:
    """Create an API key with at most the caller's own rights and life; the answer is the only place it is shown.

    With an Idempotency-Key, the same request again makes no other key and can't show the first: it is answered
    409 `platform.already_made`, with the key's id.
    """
    request = CreateKey(body.name, body.kind, body.scopes, body.expires_at)
    made, key = await api_keys.create(principal, scope, request, claim)
    return ApiKeyCreated(**made.model_dump(), key=key)


@router.get("", operation_id="list_api_keys")
async def list_api_keys(
    scope: Annotated[Scope, Depends(Requires(Permission.API_KEY_READ))],
    api_keys: ApiKeyService,
    paging: CallerPaging,
) -> Page[ApiKey]:
    """List the organization's API keys in order of making, revoked ones included; never the keys themselves."""
    return await paging.of(lambda after, limit: api_keys.page(scope, after=after, limit=limit))


@router.delete("/{key_id}", status_code=204, operation_id="revoke_api_key")
async def revoke_api_key(
    key_id: UUID, scope: Annotated[Scope, Depends(Requires(Permission.API_KEY_REVOKE))], api_keys: ApiKeyService
) -> None:
    """Revoke an API key: every process refuses it within a second. Again is harmless.

    The last key of an administrator can't be revoked (409 `identity.api_key_is_last`): make another one first.
    """
    await api_keys.revoke(scope, key_id)
