"""What submitting a run consists of: which module, which deployment, and the row."""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from domain.deployments.names import DEVELOPMENT, Tags
from domain.deployments.sources import EngineName, SourceKind
from domain.identity.permissions import Permission
from domain.identity.rights import Target
from domain.ids import new_id
from domain.provisioning.errors import (
    DeploymentOfAnother,
    EnvironmentFixed,
    ModuleMissing,
    ModuleUnknown,
    ModuleYanked,
)
from domain.provisioning.inputs import Inputs
from domain.provisioning.run_states import RunPriority, RunState
from domain.provisioning.steps import StepOperation
from domain.registry.errors import ModuleNotFound
from domain.registry.names import ModuleAddress
from domain.scope import Scope
from storage.database import Session, now
from storage.deployments import deployments
from storage.deployments.tables import DeploymentRow
from storage.provisioning import runs
from storage.provisioning.tables import RunRow
from storage.registry import modules


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitRun:
    """What it takes to submit a run. What it leaves out of module and inputs is as it was last applied."""

    deployment: str
    operation: StepOperation = StepOperation.APPLY
    module_source: str | None = None
    module_version: str | None = None
    engine: EngineName | None = None
    environment: str | None = None
    inputs: Inputs | None = None
    secret_inputs: Inputs | None = field(default=None, repr=False)
    tags: Tags | None = None
    priority: RunPriority = RunPriority.STANDARD
    auto_apply: bool = False
    tier_id: UUID | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ChosenModule:
    """A published module version, with the digest that pins its bytes."""

    source: str
    version: str
    digest: str
    yank_reason: str | None

    def check_offered(self) -> None:
        """Refuse it for something new.

        Raises:
            ModuleYanked.
        """
        if self.yank_reason is not None:
            raise ModuleYanked(
                f"{self.source} {self.version} is yanked ({self.yank_reason}), and nothing new is made of it: "
                "name another version",
                source=self.source,
                version=self.version,
                reason=self.yank_reason,
            )


async def find_basis(session: Session, scope: Scope, request: SubmitRun) -> RunRow | None:
    """Find the run that a new one goes on from; None for a new deployment."""
    known = await deployments.find(session, scope.organization_id, request.deployment)
    return None if known is None else await runs.basis(session, known)


async def find_module(session: Session, scope: Scope, source: str, version: str) -> ChosenModule:
    """Find a module of the organization's registry; `source` is `<namespace>/<name>/<system>`, `v1.0` is 1.0.0.

    Raises:
        ModuleUnknown.
    """
    address = ModuleAddress(*source.split("/"))
    try:
        found = await modules.get_version(session, scope.organization_id, address, version)
    except ModuleNotFound as error:
        raise ModuleUnknown(
            "the registry has no such module version; publish it first", source=source, version=version
        ) from error
    return ChosenModule(source, found.version, found.sha256, found.yank_reason)


async def module_of(session: Session, scope: Scope, request: SubmitRun, basis: RunRow | None) -> ChosenModule:
    """Find the module that the run uses: the one it names, or that of the run which it goes on from.

    Raises:
        ModuleMissing, ModuleUnknown.
    """
    source, version = request.module_source, request.module_version
    if basis is not None and (source is None or version is None):
        source, version = basis.module_source, basis.module_version
    if source is None or version is None:
        raise ModuleMissing(
            "there is no such deployment yet: name the module that it is made from", deployment=request.deployment
        )
    return await find_module(session, scope, source, version)


async def deployment_of(session: Session, scope: Scope, request: SubmitRun, module: ChosenModule) -> DeploymentRow:
    """Read the deployment of a run, locked, or make it.

    Raises:
        EnvironmentFixed: it is there, in another environment.
        DeploymentOfAnother: it is there, and the request's tier did not make it.
        PermissionDenied: who asks may not submit runs of it, or asks to apply without asking and may not approve.
    """
    wanted = DeploymentRow(
        organization_id=scope.organization_id,
        id=new_id(),
        name=request.deployment,
        environment=request.environment or DEVELOPMENT,
        tags=request.tags or {},
        engine=request.engine or EngineName.TERRAFORM,
        source_kind=SourceKind.MODULE,
        module_source=module.source,
        module_version=module.version,
        tier_id=request.tier_id,
        expires_at=request.expires_at,
    )
    row, new = await deployments.get_or_add(session, wanted)
    if not new and request.environment not in {None, row.environment}:
        raise EnvironmentFixed(
            f"the deployment {row.name} is in {row.environment}, and a name is that of one deployment in all "
            "environments: choose another name, or leave the environment out to change this one",
            deployment=row.name,
            environment=row.environment,
        )
    if not new and request.tier_id not in {None, row.tier_id}:
        raise DeploymentOfAnother("the deployment was not made from this tier", deployment=row.name)
    target = Target(environment=row.environment, deployment_id=row.id)
    scope.require(Permission.RUN_SUBMIT, target)
    # It decides beforehand what an approval decides. A tier is made by who may say what it provisions; beyond the
    # first run of it, something can be lost.
    if request.auto_apply and not (new and request.tier_id is not None):
        scope.require(Permission.RUN_APPROVE, target)
    return row


async def check_module(session: Session, deployment: DeploymentRow, module: ChosenModule) -> None:
    """Refuse a yanked version to a deployment none of whose runs has used it; others go on as before.

    Raises:
        ModuleYanked.
    """
    if not await runs.any_used(session, deployment, source=module.source, version=module.version):
        module.check_offered()


def target_of(run: RunRow) -> Target:
    """Give what a permission has to be held on for somebody to do something to a run."""
    return Target(environment=run.environment, deployment_id=run.deployment_id)


async def new_run(
    session: Session,
    scope: Scope,
    request: SubmitRun,
    module: ChosenModule,
    *,
    deployment: DeploymentRow,
    basis: RunRow | None,
    run_id: UUID,
) -> RunRow:
    """Make the row of a run; what its request leaves out is as in the run which it goes on from.

    Of one that ended before it had a plan nothing is taken over but the module.
    """
    if basis is not None and basis.finished_at is not None and basis.plan_step_id is None:
        basis = None
    inputs, names, secrets_run_id = request.inputs, sorted(request.secret_inputs or {}), run_id
    if inputs is None:
        inputs = basis.inputs if basis else {}
    if request.secret_inputs is None and basis is not None:
        names = [name for name in basis.secret_input_names if name not in inputs]
        secrets_run_id = basis.secrets_run_id or basis.id
    return RunRow(
        organization_id=scope.organization_id,
        id=run_id,
        deployment_id=deployment.id,
        deployment_name=deployment.name,
        environment=deployment.environment,
        operation=request.operation,
        state=RunState.ACCEPTED,
        engine=request.engine or (deployment if basis is None else basis).engine,
        source_kind=SourceKind.MODULE,
        module_source=module.source,
        module_version=module.version,
        module_digest=module.digest,
        inputs=inputs,
        basis_run_id=None if basis is None else basis.id,
        secret_input_names=names,
        secrets_run_id=secrets_run_id if names else None,
        tags=deployment.tags if request.tags is None else request.tags,
        priority=request.priority,
        auto_apply=request.auto_apply,
        tier_id=request.tier_id,
        requested_by=scope.actor.as_json(),
        request_id=scope.request_id,
        expires_at=request.expires_at,
        due_at=await now(session),
    )
