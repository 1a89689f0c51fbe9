"""Who makes a request and what they may do."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from domain.identity.errors import OrganizationFrozen
from domain.identity.permissions import Permission
from domain.identity.rights import Rights, denied
from domain.scope import Actor, Scope


@dataclass(frozen=True, slots=True)
class Principal:
    """An authenticated caller in one organization.

    `valid_until` is when the key ends; `read_only_from` when its organization does: a trial that is over, or a
    freeze, leaves the rights to read. Both are compared at every use, so that no cache outlives them.
    """

    organization_id: UUID
    actor: Actor
    key_id: UUID
    user_id: UUID
    rights: Rights
    valid_until: datetime | None
    read_only_from: datetime | None

    def require(self, permission: Permission, *, now: datetime) -> None:
        """Do nothing if the principal may on some target; whether on the one it names, `Scope.require` tells.

        Raises:
            PermissionDenied: it lacks the right.
            OrganizationFrozen: it has the right, and the organization may only be read.
        """
        if not self.rights.allow_somewhere(permission):
            raise denied(permission)
        if not permission.is_read and self.read_only_from is not None and self.read_only_from <= now:
            raise OrganizationFrozen("the organization is frozen: it can be read, and changes nothing")

    def scope(self, *, request_id: str | None = None, source_address: str | None = None) -> Scope:
        """Give what a transaction opens for."""
        return Scope(self.organization_id, self.actor, request_id, source_address, self.rights)
