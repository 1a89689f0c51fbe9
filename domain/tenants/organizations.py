"""Organizations: the wall that no data crosses."""

import re
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from pydantic import BaseModel, Field

from domain.tenants.errors import SlugInvalid

SLUG: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
RESERVED: Final = frozenset(
    {"admin", "api", "app", "groundwork", "platform", "public", "registry", "system", "www"}
)


class OrganizationStatus(StrEnum):
    """Life of an organization: on trial, active, frozen (read only), deleted."""

    TRIAL = "trial"
    ACTIVE = "active"
    FROZEN = "frozen"
    DELETED = "deleted"


class Organization(BaseModel, frozen=True, from_attributes=True):
    """A tenant of the installation."""

    id: UUID
    slug: str = Field(description="Short name, unique in the installation.")
    display_name: str
    status: OrganizationStatus
    trial_ends_at: datetime | None
    created_at: datetime


def check_slug(slug: str) -> None:
    """Refuse what can't be an organization's slug (the DNS label rule of RFC 1123, lower case).

    Raises:
        SlugInvalid: with the rule.
    """
    if not SLUG.fullmatch(slug):
        raise SlugInvalid("a slug has 1 to 63 of a-z, 0-9 and -, and no - at either end", slug=slug)
    if slug in RESERVED:
        raise SlugInvalid("this slug is reserved; choose another one", slug=slug)
