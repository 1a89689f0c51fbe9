"""The provisioning engine's own paths, exactly as its document has them: thin aliases of runs."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field, JsonValue

from api.dependencies import IdempotencyClaim, OutputService, Requires, RunService, TierService
from api.json_bodies import StrictRoute
from domain.deployments.names import DeploymentName
from domain.identity.permissions import Permission
from domain.moments import Moment
from domain.provisioning.inputs import Inputs, JsonInput, TierName, VariableName
from domain.provisioning.run_states import RunPriority, RunState
from domain.provisioning.runs import Output, Run
from domain.provisioning.steps import StepOperation
from domain.scope import Scope
from domain.tenants.errors import OrganizationNotFound
from services.provisioning.submission import SubmitRun

router = APIRouter(prefix="/api/v1/provisioning", tags=["provisioning"], route_class=StrictRoute)

TOTAL_STEPS: Final = 3
MESSAGES: Final = {
    RunState.ACCEPTED: "Provisioning job accepted",
    RunState.QUEUED: "Provisioning job is waiting for its turn",
    RunState.PLANNING: "Infrastructure is being planned",
    RunState.AWAITING_APPROVAL: "The plan is waiting for approval",
    RunState.APPLYING: "Infrastructure is being provisioned",
    RunState.RECOVERING: "Provisioning is being recovered",
    RunState.APPLIED: "Infrastructure provisioning completed successfully",
    RunState.PLANNED: "Infrastructure planning completed successfully",
    RunState.FAILED: "Infrastructure provisioning failed",
    RunState.CANCELED: "Provisioning job was canceled",
    RunState.REJECTED: "The plan was rejected",
    RunState.TIMED_OUT: "Provisioning job took longer than it may",
    RunState.NEEDS_ATTENTION: "Provisioning job needs a person's attention",
}
STEPS: Final = {RunState.PLANNING: "terraform_plan", RunState.APPLYING: "terraform_apply"}


class R1Status(StrEnum):
    """States of a job, as the provisioning engine's own document names them."""

    PENDING = "pending"
    QUEUED = "queued"
    PROVISIONING = "provisioning"
    COMPLETED = "completed"
    FAILED = "failed"


class PocConfig(BaseModel, extra="allow"):
    """The tier that is asked for; the rest is the module's business."""

    __pydantic_extra__: dict[str, JsonInput]

    poc_tier: TierName
    expires_at: Moment | None = None


class ProvisionRequest(BaseModel, extra="forbid"):
    """A provisioning request. Its configurations become inputs of the tier's module, where it declares them."""

    tenant_id: UUID = Field(description="The caller's organization.")
    tenant_slug: DeploymentName = Field(description="Becomes the name of the deployment.")
    company_info: dict[VariableName, JsonInput] | None = None
    poc_config: PocConfig
    security_config: dict[VariableName, JsonInput] | None = None
    integration_config: dict[VariableName, JsonInput] | None = None
    monitoring_config: dict[VariableName, JsonInput] | None = None
    priority: RunPriority = RunPriority.STANDARD

    def inputs(self) -> Inputs:
        """Give what was sent, as values of variables."""
        configurations = self.model_dump(
            mode="json",
            exclude_unset=True,
            exclude_none=True,
            include={
                "company_info",
                "poc_config",
                "security_config",
                "integration_config",
                "monitoring_config",
            },
        )
        return {"tenant_id": str(self.tenant_id), "tenant_slug": self.tenant_slug, **configurations}


class ProvisionAnswer(BaseModel):
    """Where to see what becomes of the request."""

    success: bool
    message: str
    job_id: UUID
    status: R1Status
    estimated_duration: str = Field(description="As Go writes durations: `30m0s`.")
    progress_tracking_url: str


class JobStatus(BaseModel):
    """How a job is going."""

    success: bool = Field(description="False once the job has failed.")
    job_id: UUID
    status: R1Status
    state: RunState = Field(description="The state of the run, which is more exact.")
    message: str
    current_step: str
    total_steps: int
    completed_steps: int
    progress_percent: int
    provisioned_resources: dict[str, JsonValue] = Field(
        description="The output `provisioned_resources`, or all outputs that are no endpoints."
    )
    service_endpoints: dict[str, JsonValue] = Field(
        description="The output `service_endpoints`, or all outputs that are web addresses."
    )
    outputs: dict[str, JsonValue] = Field(description="All outputs that are not sensitive.")
    error_message: str | None
    queued_at: datetime
    started_at: datetime | None
    completed_at: datetime | None


@router.post("/provision", status_code=202, operation_id="provision")
async def provision(
    *,
    body: ProvisionRequest,
    scope: Annotated[Scope, Depends(Requires(Permission.RUN_SUBMIT))],
    runs: RunService,
    tiers: TierService,
    claim: IdempotencyClaim,
) -> ProvisionAnswer:
    """Provision a tier for a customer; it is planned and applied without asking.

    Once the deployment is there, that takes the permission to approve, and the tier that it was made from.
    """
    if body.tenant_id != scope.organization_id:
        raise OrganizationNotFound("there is no such organization", organization_id=str(body.tenant_id))
    tier = await tiers.by_name(scope, body.poc_config.poc_tier)
    request = SubmitRun(
        deployment=body.tenant_slug,
        operation=StepOperation.APPLY,
        module_source=tier.module_source,
        module_version=tier.module_version,
        engine=tier.engine,
        inputs=body.inputs() | tier.inputs,
        environment=tier.environment,
        priority=body.priority,
        auto_apply=True,
        tier_id=tier.id,
        expires_at=body.poc_config.expires_at,
    )
    run = await runs.submit(scope, request, claim)
    return ProvisionAnswer(
        success=True,
        message="Provisioning job queued successfully",
        job_id=run.id,
        status=R1Status.QUEUED,
        estimated_duration=go_duration(tier.estimated_duration),
        progress_tracking_url=f"{router.prefix}/status/{run.id}",
    )


@router.get("/status/{job_id}", operation_id="get_provisioning_status")
async def get_provisioning_status(
    job_id: UUID,
    scope: Annotated[Scope, Depends(Requires(Permission.RUN_READ))],
    runs: RunService,
    outputs: OutputService,
) -> JobStatus:
    """Show how a job is going, and what it came to."""
    run = await runs.get(scope, job_id)
    shown = [output for output in await outputs.of_run(scope, job_id) if not output.sensitive]
    endpoints = _endpoints(shown)
    status = status_of(run.state)
    return JobStatus(
        success=status is not R1Status.FAILED,
        job_id=run.id,
        status=status,
        state=run.state,
        message=MESSAGES[run.state],
        current_step=STEPS.get(run.state, run.state.value),
        total_steps=TOTAL_STEPS,
        completed_steps=_completed_steps(run),
        progress_percent=progress_percent(run),
        provisioned_resources=_resources(shown, endpoints),
        service_endpoints=endpoints,
        outputs={output.name: output.value for output in shown},
        error_message=run.error_message,
        queued_at=run.created_at,
        started_at=run.started_at,
        completed_at=run.finished_at,
    )


def status_of(state: RunState) -> R1Status:
    """Tell what the document calls a state."""
    match state:
        case RunState.ACCEPTED:
            return R1Status.PENDING
        case RunState.QUEUED | RunState.AWAITING_APPROVAL:
            return R1Status.QUEUED
        case RunState.PLANNING | RunState.APPLYING | RunState.RECOVERING:
            return R1Status.PROVISIONING
        case RunState.APPLIED | RunState.PLANNED:
            return R1Status.COMPLETED
        case _:
            return R1Status.FAILED


def go_duration(duration: timedelta) -> str:
    """Write a duration as Go's time.Duration does."""
    seconds = int(duration.total_seconds())
    hours, minutes = seconds // 3600, seconds // 60 % 60
    if hours:
        return f"{hours}h{minutes}m{seconds % 60}s"
    return f"{minutes}m{seconds % 60}s" if minutes else f"{seconds}s"


def progress_percent(run: Run) -> int:
    """Tell how far a run is: a tenth when it begins, a third with its plan, the rest by its resources."""
    match run.state:
        case RunState.ACCEPTED | RunState.QUEUED:
            return 0
        case RunState.PLANNING:
            return 10
        case RunState.AWAITING_APPROVAL:
            return 33
        case RunState.APPLYING | RunState.RECOVERING:
            return 33 + (
                66 * min(run.progress_done, run.progress_total) // run.progress_total if run.progress_total else 0
            )
        case RunState.APPLIED | RunState.PLANNED:
            return 100
        case _:
            return 0


def _completed_steps(run: Run) -> int:
    match run.state:
        case RunState.APPLIED | RunState.PLANNED:
            return TOTAL_STEPS
        case RunState.APPLYING | RunState.RECOVERING | RunState.AWAITING_APPROVAL:
            return 2
        case RunState.PLANNING:
            return 1
        case _:
            return 0


def _endpoints(outputs: list[Output]) -> dict[str, Any]:
    for output in outputs:
        if output.name == "service_endpoints" and isinstance(output.value, dict):
            return output.value
    return {
        output.name: output.value
        for output in outputs
        if isinstance(output.value, str) and output.value.startswith(("https://", "http://"))
    }


def _resources(outputs: list[Output], endpoints: dict[str, Any]) -> dict[str, Any]:
    for output in outputs:
        if output.name == "provisioned_resources" and isinstance(output.value, dict):
            return output.value
    return {
        output.name: output.value
        for output in outputs
        if output.name not in endpoints and output.name != "service_endpoints"
    }
