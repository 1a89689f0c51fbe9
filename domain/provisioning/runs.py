"""Runs and tiers: what services return and the API shows. No secret is in any of them."""

from datetime import datetime, timedelta
from uuid import UUID

from pydantic import BaseModel, Field, JsonValue

from domain.deployments.names import Tags
from domain.deployments.sources import EngineName, SourceKind
from domain.provisioning.failures import ErrorClass
from domain.provisioning.inputs import Inputs
from domain.provisioning.run_states import Decision, RunPriority, RunState
from domain.provisioning.steps import ExitClass, StepOperation, StepPhase, StepStage
from domain.provisioning.waiting import Waiting


class Tier(BaseModel, frozen=True, from_attributes=True):
    """A named size: a module version and the inputs that make it that size."""

    id: UUID
    name: str
    description: str
    engine: EngineName
    module_source: str
    module_version: str
    inputs: Inputs = Field(description="Given to the module; a request can't change them.")
    environment: str
    estimated_duration: timedelta
    created_at: datetime


class Run(BaseModel, frozen=True, from_attributes=True):
    """One plan, apply, destroy, refresh or import of one deployment."""

    id: UUID
    deployment_id: UUID
    deployment_name: str
    environment: str
    operation: StepOperation
    state: RunState
    engine: EngineName
    source_kind: SourceKind
    module_source: str | None
    module_version: str | None
    inputs: Inputs
    basis_run_id: UUID | None = Field(
        description="The run that it goes on from: inputs and secret inputs that it was not given are as there."
    )
    secret_input_names: list[str] = Field(description="Inputs whose values are kept encrypted and not shown.")
    tags: Tags
    priority: RunPriority
    auto_apply: bool
    tier_id: UUID | None
    stage: StepStage | None = Field(description="Where the running step is.")
    progress_done: int
    progress_total: int | None
    progress_message: str
    changes_add: int | None
    changes_change: int | None
    changes_remove: int | None
    changes_import: int | None
    plan_sha256: str | None = Field(description="Of the saved plan: what is approved is what is applied.")
    requested_by: dict[str, str]
    cancel_requested_at: datetime | None
    decision: Decision | None
    decided_at: datetime | None
    decided_by: dict[str, str] | None
    decision_reason: str | None
    error_class: ErrorClass | None
    error_message: str | None
    retry_of: UUID | None
    expires_at: datetime | None
    due_at: datetime | None = Field(description="When the platform looks at the run again, by itself.")
    created_at: datetime
    admitted_at: datetime | None = Field(description="When it got hold of its deployment.")
    started_at: datetime | None
    finished_at: datetime | None


class RunFilter(BaseModel, frozen=True):
    """Which runs a list shows; None does not narrow it."""

    state: RunState | None = None
    deployment_id: UUID | None = None
    environment: str | None = None
    tag: Tags | None = None


class RunStep(BaseModel, frozen=True, from_attributes=True):
    """One attempt of one phase, on one worker."""

    id: UUID
    number: int
    round: int = Field(description="1 at first; a run that plans anew begins the next one.")
    phase: StepPhase
    attempt: int
    worker: str
    admitted_at: datetime
    cli_started_at: datetime | None
    lease_expires_at: datetime
    exit_class: ExitClass | None
    exit_code: int | None
    error_class: ErrorClass | None
    error_message: str | None
    in_flight: list[str]
    last_serial: int | None
    engine_version: str | None
    finished_at: datetime | None


class RunDetail(Run, frozen=True):
    """A run with what was done for it."""

    queue_position: int | None = Field(
        description="How many runs go first on this deployment; null once the run is admitted."
    )
    waiting: Waiting | None = Field(description="What has to happen first; null while it is worked on.")
    steps: list[RunStep]
    workflow_id: str = Field(description="Of its workflow in Temporal, for operators.")
    workflow_url: str | None = Field(
        default=None,
        description="The workflow's page in the Temporal Web UI; null where the API does not know it.",
    )


class PlanText(BaseModel, frozen=True):
    """A plan, as its CLI shows it."""

    sha256: str = Field(description="Of the saved plan: exactly this is applied once it is approved.")
    text: str


class Output(BaseModel, frozen=True, from_attributes=True):
    """An output value of a run; a sensitive one is named and its value left out."""

    name: str
    value: JsonValue | None
    type: JsonValue
    sensitive: bool
