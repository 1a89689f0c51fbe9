"""Whose data a piece of work may touch, and who does it."""

from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID

from domain.identity.permissions import Permission
from domain.identity.rights import ORGANIZATION, Rights, Target


class ActorKind(StrEnum):
    """What acts: a person, a key of theirs, a run, or the platform itself."""

    USER = "user"
    API_KEY = "api_key"
    RUN = "run"
    WORKFLOW = "workflow"
    PLATFORM = "platform"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does something, as audit rows name them: a kind, an id, and for keys the person behind it."""

    kind: ActorKind
    id: str
    on_behalf_of: str | None = None

    def as_json(self) -> dict[str, str]:
        """Give the form that is stored; absent parts are left out."""
        named = {"kind": self.kind.value, "id": self.id}
        return named if self.on_behalf_of is None else named | {"on_behalf_of": self.on_behalf_of}


PLATFORM = Actor(ActorKind.PLATFORM, "groundwork")


@dataclass(frozen=True, slots=True)
class Scope:
    """One organization and who acts in it. A transaction opens for a scope and is held to it.

    What the platform does by itself has no rights of anybody's, and is asked for none.
    """

    organization_id: UUID
    actor: Actor
    request_id: str | None = field(default=None, compare=False)
    source_address: str | None = field(default=None, compare=False)
    rights: Rights = field(default=Rights(), compare=False)

    def require(self, permission: Permission, target: Target = ORGANIZATION) -> None:
        """Do nothing if who acts may do this to the target; for services, which alone know it.

        Raises:
            PermissionDenied.
        """
        self.rights.require(permission, target)
