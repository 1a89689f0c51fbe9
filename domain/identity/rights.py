"""What somebody may do, and on what."""

from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from domain.identity.errors import PermissionDenied
from domain.identity.permissions import Permission


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a permission is used on, by all that a grant can be bound to; None where there is no such thing."""

    namespace: str | None = None
    environment: str | None = None
    deployment_id: UUID | None = None


ORGANIZATION: Final = Target()
"""The organization as a whole: what belongs to no part of it."""


@dataclass(frozen=True, slots=True)
class Rights:
    """Rights in one organization, compiled from grants when their holder is authenticated.

    All grants are of the whole organization, which covers every target in it. Grants for less than that will be
    looked up here by their target, and whoever asks names it already.
    """

    everywhere: frozenset[Permission] = field(default_factory=frozenset)

    def allow(self, permission: Permission, target: Target) -> bool:
        """Tell whether a permission is held on a target."""
        del target
        return permission in self.everywhere

    def allow_somewhere(self, permission: Permission) -> bool:
        """Tell whether it is held on any target: what a route asks that does not know the target yet."""
        return permission in self.everywhere

    def require(self, permission: Permission, target: Target) -> None:
        """Do nothing if the permission is held on the target.

        Raises:
            PermissionDenied.
        """
        if not self.allow(permission, target):
            raise denied(permission)


def denied(permission: Permission) -> PermissionDenied:
    """Make the one answer to who lacks a permission."""
    return PermissionDenied(f"this needs the permission {permission.value}", permission=permission.value)
