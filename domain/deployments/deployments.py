"""The deployment: what services return and the API shows. No secret is in it."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, Field

from domain.deployments.names import Tags
from domain.deployments.sources import EngineName, SourceKind


class Deployment(BaseModel, frozen=True, from_attributes=True):
    """A live thing: it has a state, and runs that change it one at a time."""

    id: UUID
    name: str
    environment: str
    tags: Tags
    engine: EngineName
    source_kind: SourceKind = Field(description="What it is made from; by a module it has a source and a version.")
    module_source: str | None
    module_version: str | None
    tier_id: UUID | None
    latest_run_id: UUID | None
    blocked_by_run_id: UUID | None = Field(
        description="A run that needs attention: until a person acknowledges it, nothing is applied."
    )
    destroyed_at: datetime | None
    expires_at: datetime | None
    created_at: datetime
    updated_at: datetime
