"""All use cases of the product, made once per process by a composition root."""

from dataclasses import dataclass

from domain.cursors import CursorSigner
from services.identity.api_keys import ApiKeys
from services.identity.authentication import Authentication
from services.secrets import Envelope
from services.tenants.organizations import Organizations


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """One field per noun; routes reach them through api.dependencies, activities by their constructors."""

    authentication: Authentication
    organizations: Organizations
    api_keys: ApiKeys
    envelope: Envelope
    cursors: CursorSigner
