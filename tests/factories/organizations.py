"""Who calls in tests."""

from dataclasses import dataclass

from domain.identity.principal import Principal
from domain.ids import new_id
from domain.scope import PLATFORM, Scope
from domain.tenants.organizations import Organization
from services.all import Services
from services.tenants.organizations import CreateOrganization

OPERATOR = "operator@example.com"
"""Who operates the installation in tests."""


@dataclass(frozen=True, slots=True)
class Caller:
    """An organization, and its administrator's key."""

    organization: Organization
    principal: Principal
    key: str

    @property
    def headers(self) -> dict[str, str]:
        """What a request of theirs carries."""
        return {"Authorization": f"Bearer {self.key}"}

    @property
    def scope(self) -> Scope:
        """What a transaction of theirs opens for."""
        return self.principal.scope()


async def make_caller(services: Services) -> Caller:
    """Make an organization and its administrator, each time another one."""
    slug = f"org-{new_id().hex}"
    request = CreateOrganization(slug, "An organization", f"admin@{slug}.example")
    organization, key = await services.tenants.organizations.create(Scope(new_id(), PLATFORM), request)
    return Caller(organization, await services.identity.authentication.authenticate(key), key)
