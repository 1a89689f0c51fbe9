"""What the routes of API keys accept and answer beside the nouns of domain.identity.keys."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, Field

from domain.identity.keys import ApiKey, KeyKind
from domain.identity.permissions import EVERYTHING, Permission
from domain.moments import Moment
from domain.text import Text


def _known(scope: str) -> str:
    if scope != EVERYTHING and scope not in {permission.value for permission in Permission}:
        raise ValueError("no such permission; the reference lists them")
    return scope


KeyScope = Annotated[Text, AfterValidator(_known)]


class ApiKeyCreate(BaseModel, extra="forbid"):
    """A new key of the caller's."""

    name: Text = Field(min_length=1, max_length=200, examples=["laptop"])
    kind: Literal[KeyKind.PERSONAL, KeyKind.SERVICE] = KeyKind.PERSONAL
    scopes: list[KeyScope] = Field(
        default=[EVERYTHING],
        min_length=1,
        max_length=len(Permission),
        description='Permissions the key may use, at most the caller\'s own; "*" for all of them.',
        examples=[["registry:read"]],
    )
    expires_at: Moment | None = Field(
        default=None,
        description="When the key ends; at the latest, and where this is null, when the caller's own key does.",
    )


class ApiKeyCreated(ApiKey, frozen=True):
    """The new key."""

    key: str = Field(description="The key itself: shown this once, stored nowhere.")
