"""The deployment: what services return and the API shows. No secret is in it."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from pydantic import BaseModel, Field

from domain.deployments.names import Tags
from domain.deployments.sources import EngineName, SourceKind


class DeploymentState(StrEnum):
    """What there is of a deployment.

    `unfinished` is one with a state that no applied run has left: an apply stopped half way, and something may be
    there. One that was applied stays `live` whatever becomes of later runs, until one destroys it.
    """

    NOTHING_APPLIED = "nothing_applied"
    UNFINISHED = "unfinished"
    LIVE = "live"
    DESTROYED = "destroyed"


def state_of(
    *, was_applied: bool, destroyed_at: datetime | None, newest_state_at: datetime | None
) -> DeploymentState:
    """Tell what there is of a deployment, by whether a run of it was applied, and when its newest state came."""
    if newest_state_at is not None and (
        not was_applied or (destroyed_at is not None and newest_state_at > destroyed_at)
    ):
        return DeploymentState.UNFINISHED
    if destroyed_at is not None:
        return DeploymentState.DESTROYED
    return DeploymentState.LIVE if was_applied else DeploymentState.NOTHING_APPLIED


class Deployment(BaseModel, frozen=True):
    """A live thing: it has a state, and runs that change it one at a time."""

    id: UUID
    name: str
    state: DeploymentState = Field(description="What there is of it.")
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
