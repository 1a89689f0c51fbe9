"""Namespaces: the noun."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, Field


class Namespace(BaseModel, frozen=True, from_attributes=True):
    """First part of registry addresses; unique in the installation, claimed by one organization for good."""

    id: UUID
    name: str = Field(examples=["acme"])
    created_at: datetime
