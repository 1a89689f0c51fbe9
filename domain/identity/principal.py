"""Who makes a request and what they may do."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from domain.errors import ErrorKind, PlatformError
from domain.identity.permissions import Permission
from domain.scope import Actor, Scope


class Unauthenticated(PlatformError):
    """There is no key, or it is unknown, revoked or expired: send a valid one as a Bearer token.

    The answer is the same in each case, so that nothing is learnt by trying.
    """

    kind = ErrorKind.UNAUTHENTICATED
    code = "identity.unauthenticated"


class PermissionDenied(PlatformError):
    """The key is valid and lacks the right: ask an administrator for it, or use a key with that scope."""

    kind = ErrorKind.PERMISSION_DENIED
    code = "identity.permission_denied"


class OrganizationFrozen(PlatformError):
    """The organization is frozen or its trial is over: it can be read, and changes nothing."""

    kind = ErrorKind.PERMISSION_DENIED
    code = "identity.organization_frozen"


@dataclass(frozen=True, slots=True)
class Principal:
    """An authenticated caller in one organization, with its rights compiled to a set.

    `valid_until` is when the key ends; `read_only_from` when its organization does: a trial that is over, or a
    freeze, leaves the rights to read. Both are compared at every use, so that no cache outlives them.
    """

    organization_id: UUID
    actor: Actor
    key_id: UUID
    user_id: UUID
    permissions: frozenset[Permission]
    valid_until: datetime | None
    read_only_from: datetime | None

    def require(self, permission: Permission, *, now: datetime) -> None:
        """Do nothing if the principal may.

        Raises:
            PermissionDenied: it lacks the right.
            OrganizationFrozen: it has the right, and the organization may only be read.
        """
        if permission not in self.permissions:
            raise PermissionDenied(f"this needs the permission {permission.value}", permission=permission.value)
        if not permission.is_read and self.read_only_from is not None and self.read_only_from <= now:
            raise OrganizationFrozen("the organization is frozen: it can be read, and changes nothing")

    def scope(self, *, request_id: str | None = None, source_address: str | None = None) -> Scope:
        """Give what a transaction opens for."""
        return Scope(self.organization_id, self.actor, request_id, source_address)
