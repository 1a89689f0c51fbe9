"""What the routes of organizations accept and answer beside the nouns of domain.tenants.organizations."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field, StringConstraints

from domain.tenants.organizations import Organization
from domain.text import Spelled, Text, storable


class OrganizationCreate(BaseModel, extra="forbid"):
    """A new organization."""

    slug: Text = Field(min_length=1, max_length=63, description="Short name: a-z, 0-9 and -.", examples=["acme"])
    display_name: Text = Field(min_length=1, max_length=200, examples=["Acme Incorporated"])
    administrator_email: Annotated[
        str,
        StringConstraints(min_length=3, max_length=320, pattern=r"^[^@\s]+@[^@\s]+$"),
        AfterValidator(storable),
        Spelled("is written as in ada@acme.example, in at most 320 characters"),
    ] = Field(description="Its first administrator.", examples=["ada@acme.example"])


class OrganizationCreated(Organization, frozen=True):
    """The new organization, and the key of its first administrator."""

    administrator_key: str = Field(description="Shown this once; it is stored nowhere.")
