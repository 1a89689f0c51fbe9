"""Routes of runs and tiers."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Response

from api.dependencies import (
    IdempotencyClaim,
    OutputService,
    Requires,
    RunService,
    TierService,
    WorkflowPages,
)
from api.deployments.schemas import TagFilter
from api.json_bodies import StrictRoute
from api.pagination import CallerPaging, Page
from api.provisioning.schemas import DecisionNote, RevealedOutputs, RunCreate, TierCreate
from api.routing import facts
from domain.deployments.names import EnvironmentName
from domain.identity.permissions import Permission
from domain.provisioning.run_states import RunState
from domain.provisioning.runs import Output, PlanText, Run, RunDetail, RunFilter, Tier
from domain.scope import Scope
from services.provisioning.submission import SubmitRun
from services.provisioning.tiers import CreateTier

router = APIRouter(prefix="/api/v1", tags=["provisioning"], route_class=StrictRoute)

MayRead = Annotated[Scope, Depends(Requires(Permission.RUN_READ))]
MaySubmit = Annotated[Scope, Depends(Requires(Permission.RUN_SUBMIT))]
MayApprove = Annotated[Scope, Depends(Requires(Permission.RUN_APPROVE))]
Tagged = Annotated[TagFilter, Depends()]


@router.post("/runs", status_code=202, operation_id="submit_run")
async def submit_run(
    *,
    body: RunCreate,
    scope: MaySubmit,
    runs: RunService,
    claim: IdempotencyClaim,
    response: Response,
) -> Run:
    """Submit a run: it is stored and in line when this answers, and begins when its deployment is free."""
    module = body.module
    request = SubmitRun(
        deployment=body.deployment,
        operation=body.operation,
        module_source=None if module is None else module.source,
        module_version=None if module is None else module.version,
        engine=body.engine,
        environment=body.environment,
        inputs=body.inputs,
        secret_inputs=body.secret_inputs,
        tags=body.tags,
        priority=body.priority,
        auto_apply=body.auto_apply,
        expires_at=body.expires_at,
    )
    run = await runs.submit(scope, request, claim)
    response.headers["Location"] = f"/api/v1/runs/{run.id}"
    return run


@router.get("/runs", operation_id="list_runs")
async def list_runs(
    *,
    scope: MayRead,
    runs: RunService,
    paging: CallerPaging,
    tags: Tagged,
    state: RunState | None = None,
    deployment_id: UUID | None = None,
    environment: EnvironmentName | None = None,
) -> Page[Run]:
    """List runs, the newest first."""
    wanted = RunFilter(state=state, deployment_id=deployment_id, environment=environment, tag=tags.wanted)
    return await paging.of(lambda after, limit: runs.page(scope, wanted, after=after, limit=limit))


@router.get("/runs/{run_id}", operation_id="get_run")
async def get_run(run_id: UUID, scope: MayRead, runs: RunService, pages: WorkflowPages) -> RunDetail:
    """Show a run, its steps, and its place in line."""
    found = await runs.detail(scope, run_id)
    return found if pages is None else found.model_copy(update={"workflow_url": f"{pages}/{found.workflow_id}"})


@router.get("/runs/{run_id}/plan", operation_id="get_run_plan")
async def get_run_plan(run_id: UUID, scope: MayRead, outputs: OutputService) -> PlanText:
    """Show the plan that waits for approval, or that was decided about."""
    return await outputs.plan(scope, run_id)


@router.post("/runs/{run_id}/approve", operation_id="approve_run")
async def approve_run(run_id: UUID, body: DecisionNote, scope: MayApprove, runs: RunService) -> Run:
    """Let the plan be applied."""
    return await runs.approve(scope, run_id, body.reason, plan_sha256=body.plan_sha256)


@router.post("/runs/{run_id}/reject", operation_id="reject_run")
async def reject_run(run_id: UUID, body: DecisionNote, scope: MayApprove, runs: RunService) -> Run:
    """End the run without applying its plan."""
    return await runs.reject(scope, run_id, body.reason, plan_sha256=body.plan_sha256)


@router.post("/runs/{run_id}/acknowledge", operation_id="acknowledge_run")
async def acknowledge_run(run_id: UUID, scope: MayApprove, runs: RunService) -> Run:
    """Say that what a run left was looked after, so that its deployment may be changed again."""
    return await runs.acknowledge(scope, run_id)


@router.post("/runs/{run_id}/cancel", operation_id="cancel_run")
async def cancel_run(
    run_id: UUID, scope: Annotated[Scope, Depends(Requires(Permission.RUN_CANCEL))], runs: RunService
) -> Run:
    """Ask the run to stop. What was made by then stays in the state; the answer does not wait for the end."""
    return await runs.cancel(scope, run_id)


@router.get("/runs/{run_id}/outputs", operation_id="list_run_outputs")
async def list_run_outputs(run_id: UUID, scope: MayRead, outputs: OutputService) -> list[Output]:
    """Show what a run came to; of sensitive outputs the names."""
    return await outputs.of_run(scope, run_id)


@router.post("/runs/{run_id}/outputs/reveal", operation_id="reveal_run_outputs")
@facts(secret=True)
async def reveal_run_outputs(
    run_id: UUID,
    scope: Annotated[Scope, Depends(Requires(Permission.RUN_READ_SECRETS))],
    outputs: OutputService,
    claim: IdempotencyClaim,
) -> RevealedOutputs:
    """Show the run's sensitive outputs, once; again only to the same caller with the same Idempotency-Key."""
    return RevealedOutputs(values=await outputs.reveal(scope, run_id, claim))


@router.post("/provisioning/tiers", status_code=201, operation_id="create_tier")
async def create_tier(
    body: TierCreate,
    scope: Annotated[Scope, Depends(Requires(Permission.TIER_MANAGE))],
    tiers: TierService,
    claim: IdempotencyClaim,
) -> Tier:
    """Create a tier: a name for a module version and the inputs that make it one size."""
    request = CreateTier(
        name=body.name,
        description=body.description,
        engine=body.engine,
        module_source=body.module.source,
        module_version=body.module.version,
        inputs=body.inputs,
        environment=body.environment,
        estimated_duration=body.estimated_duration,
    )
    return await tiers.create(scope, request, claim)


@router.get("/provisioning/tiers", operation_id="list_tiers")
async def list_tiers(
    scope: Annotated[Scope, Depends(Requires(Permission.TIER_READ))], tiers: TierService, paging: CallerPaging
) -> Page[Tier]:
    """List tiers in order of making."""
    return await paging.of(lambda after, limit: tiers.page(scope, after=after, limit=limit))
