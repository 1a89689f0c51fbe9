"""What provisioning accepts; what it answers are the nouns of domain.provisioning."""

from datetime import timedelta
from typing import Annotated

from pydantic import BaseModel, Field, JsonValue

from domain.deployments.names import DEVELOPMENT, DeploymentName, EnvironmentName, Tags
from domain.deployments.sources import EngineName
from domain.moments import Moment
from domain.provisioning.inputs import Inputs, ModuleSource, ModuleVersion, TierName
from domain.provisioning.run_states import RunPriority
from domain.provisioning.steps import StepOperation
from domain.text import Spelled, Text


class ModuleChoice(BaseModel, extra="forbid"):
    """A published module version."""

    source: ModuleSource = Field(description="`<namespace>/<name>/<system>` in this registry.")
    version: ModuleVersion


class RunCreate(BaseModel, extra="forbid"):
    """A run to submit. Of module, inputs and secret inputs each that is left out is the last run's, as a whole."""

    deployment: DeploymentName = Field(description="Name of the deployment; it is made with its first run.")
    operation: StepOperation = StepOperation.APPLY
    module: ModuleChoice | None = Field(default=None, description="Needed for a new deployment.")
    engine: EngineName | None = Field(default=None, description="By default the deployment's, else terraform.")
    environment: EnvironmentName | None = Field(
        default=None, description=f"Of a new deployment; `{DEVELOPMENT}` by default. It can't change later."
    )
    inputs: Inputs | None = Field(
        default=None, description="Values of the module's variables: all of them, or null to keep the last run's."
    )
    secret_inputs: Inputs | None = Field(
        default=None,
        description="Values that are kept encrypted, given to the CLI by environment, and never shown.",
        repr=False,
    )
    tags: Tags | None = None
    priority: RunPriority = RunPriority.STANDARD
    auto_apply: bool = Field(
        default=False, description="Apply the plan without asking; needs the permission to approve."
    )
    expires_at: Moment | None = None


PlanDigest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$"), Spelled("is written with 64 of 0-9 and a-f")]


class DecisionNote(BaseModel, extra="forbid"):
    """What somebody decided about, and why."""

    reason: Annotated[Text, Field(max_length=2000)] | None = None
    plan_sha256: PlanDigest | None = Field(
        default=None, description="Of the plan that was looked at; refused if the run has another by now."
    )


class TierCreate(BaseModel, extra="forbid"):
    """A tier to define."""

    name: TierName
    description: Annotated[Text, Field(max_length=2000)] = ""
    engine: EngineName = EngineName.TERRAFORM
    module: ModuleChoice
    inputs: Inputs = Field(
        default={}, description="Size and the rest, as the module's variables; a request can't change them."
    )
    environment: EnvironmentName = DEVELOPMENT
    estimated_duration: timedelta = Field(
        default=timedelta(minutes=30), ge=timedelta(), le=timedelta(days=1), description="ISO 8601, or seconds."
    )


class RevealedOutputs(BaseModel):
    """Values of a run's sensitive outputs; they are not shown again."""

    values: dict[str, JsonValue]
