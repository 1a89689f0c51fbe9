"""Who calls in tests."""

from dataclasses import dataclass

from domain.identity.principal import Principal
from domain.scope import Scope
from domain.tenants.organizations import Organization


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
