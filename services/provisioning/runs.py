"""Use cases on runs that people and programs ask for: submit, look, approve, reject, cancel, acknowledge.

Commands write what was asked into the row and wake the workflow; only services.provisioning.moves changes a
run's state. So a command works while no worker and no Temporal is there.
"""

from uuid import UUID

from domain.idempotency import Claim
from domain.identity.permissions import Permission
from domain.ids import new_id
from domain.long_work import Priority
from domain.provisioning.errors import (
    InputGivenTwice,
    NoAttentionNeeded,
    NoDecisionAwaited,
    PlanDiffers,
    RunEnded,
)
from domain.provisioning.offers import check_engine, check_operation
from domain.provisioning.run_states import FINAL, Decision, RunState
from domain.provisioning.runs import (
    Run,
    RunDetail,
    RunFilter,
    RunStep,
)
from domain.scope import Scope
from services.provisioning.admission import admit_next, free_and_admit
from services.provisioning.outcomes import is_plan_void
from services.provisioning.submission import (
    SubmitRun,
    check_module,
    deployment_of,
    find_basis,
    module_of,
    new_run,
    target_of,
)
from services.provisioning.waiting import waiting_of
from services.provisioning.wakes import wake_of
from services.secrets import Envelope, SealedKind
from storage import audit, idempotency, outbox
from storage.database import Database, now
from storage.deployments import deployments
from storage.provisioning import queue, runs, steps
from storage.provisioning.tables import RunSecretInputRow


class Runs:
    """Takes runs in and shows them, and takes people's decisions about them."""

    def __init__(self, database: Database, envelope: Envelope) -> None:
        """Take what the use cases need, made once at start-up."""
        self._database = database
        self._envelope = envelope

    async def submit(self, scope: Scope, request: SubmitRun, claim: Claim | None) -> Run:
        """Take a run in: it is stored, in line, and its workflow is on its way, or nothing happened at all.

        The same claim again gives the run that the first one made.

        Raises:
            NotOffered, ModuleMissing, ModuleUnknown, InputGivenTwice, IdempotencyKeyReused.
            ModuleYanked: see check_module.
            EnvironmentFixed, DeploymentOfAnother, PermissionDenied: see deployment_of.
        """
        check_engine(request.engine)
        check_operation(request.operation)
        if twice := sorted(set(request.inputs or {}) & set(request.secret_inputs or {})):
            raise InputGivenTwice("give each variable once, secret or not", variables=twice)
        run_id = new_id()
        secret = request.secret_inputs or {}
        sealed = await self._envelope.seal_values(scope, SealedKind.RUN_SECRET_INPUT, run_id, secret)
        async with self._database.transaction(scope) as session:
            claimed = await idempotency.claim(session, scope, claim, run_id)
            if claimed != run_id:
                return Run.model_validate(await runs.get(session, scope.organization_id, claimed))
            basis = await find_basis(session, scope, request)
            module = await module_of(session, scope, request, basis)
            capacity = await queue.lock_permits(session, scope.organization_id)
            deployment = await deployment_of(session, scope, request, module)
            await check_module(session, deployment, module)
            run = await new_run(session, scope, request, module, deployment=deployment, basis=basis, run_id=run_id)
            session.add(run)
            await session.flush()  # what hangs on it and the line below must see it
            session.add_all(
                RunSecretInputRow(organization_id=scope.organization_id, run_id=run_id, name=name, sealed=value)
                for name, value in sealed.items()
            )
            deployment.latest_run_id = run_id
            audit.record(
                session,
                scope,
                "provisioning.run_submitted",
                ("run", run_id),
                deployment=deployment.name,
                operation=run.operation,
                module=f"{module.source}@{module.version}",
            )
            admitted = await admit_next(session, scope, capacity)
            if run not in admitted:
                await outbox.enqueue(session, scope, wake_of(run))
            return Run.model_validate(run)

    async def get(self, scope: Scope, run_id: UUID) -> Run:
        """Give one run.

        Raises:
            RunNotFound.
        """
        async with self._database.transaction(scope) as session:
            return Run.model_validate(await runs.get(session, scope.organization_id, run_id))

    async def detail(self, scope: Scope, run_id: UUID) -> RunDetail:
        """Give one run with its steps, its place in line, and what it waits for.

        Raises:
            RunNotFound.
        """
        async with self._database.transaction(scope) as session:
            row = await runs.get(session, scope.organization_id, run_id)
            found = await steps.of_run(session, scope.organization_id, run_id)
            return RunDetail(
                **Run.model_validate(row).model_dump(),
                queue_position=await queue.position(session, row),
                waiting=await waiting_of(session, row, found),
                steps=[RunStep.model_validate(step) for step in found],
                workflow_id=wake_of(row).workflow_id,
            )

    async def page(self, scope: Scope, wanted: RunFilter, *, after: UUID | None, limit: int) -> list[Run]:
        """List the organization's runs, the newest first."""
        async with self._database.transaction(scope) as session:
            rows = await runs.page(session, scope.organization_id, wanted, after=after, limit=limit)
            return [Run.model_validate(row) for row in rows]

    async def approve(
        self, scope: Scope, run_id: UUID, reason: str | None, *, plan_sha256: str | None = None
    ) -> Run:
        """Let the plan that was shown be applied; again is harmless.

        Raises:
            RunNotFound, PermissionDenied, NoDecisionAwaited.
            PlanDiffers: the decision names another plan than the run has now.
        """
        return await self._decide(scope, run_id, Decision.APPROVED, reason, plan_sha256)

    async def reject(
        self, scope: Scope, run_id: UUID, reason: str | None, *, plan_sha256: str | None = None
    ) -> Run:
        """End the run without applying its plan; again is harmless.

        Raises:
            RunNotFound, PermissionDenied, NoDecisionAwaited.
            PlanDiffers: the decision names another plan than the run has now.
        """
        return await self._decide(scope, run_id, Decision.REJECTED, reason, plan_sha256)

    async def cancel(self, scope: Scope, run_id: UUID) -> Run:
        """Ask a run to stop: at once if it waits, by an interrupt of its CLI if it works. Again is harmless.

        Raises:
            RunNotFound, PermissionDenied.
            RunEnded: it has ended, otherwise than by being canceled.
        """
        async with self._database.transaction(scope) as session:
            row = await runs.get(session, scope.organization_id, run_id, lock=True)
            scope.require(Permission.RUN_CANCEL, target_of(row))
            if row.state in FINAL and row.state != RunState.CANCELED:
                raise RunEnded(f"the run has ended: it is {row.state}", state=row.state)
            if row.state not in FINAL and row.cancel_requested_at is None:
                row.cancel_requested_at = row.due_at = await now(session)
                row.cancel_requested_by = scope.actor.as_json()
                await outbox.enqueue(session, scope, wake_of(row, Priority.CANCEL))
                audit.record(session, scope, "provisioning.run_cancel_requested", ("run", row.id))
            return Run.model_validate(row)

    async def acknowledge(self, scope: Scope, run_id: UUID) -> Run:
        """Say that a person has looked after what a run left, so that its deployment may be changed again.

        Raises:
            RunNotFound, PermissionDenied, NoAttentionNeeded.
        """
        async with self._database.transaction(scope) as session:
            row = await runs.get(session, scope.organization_id, run_id)
            scope.require(Permission.RUN_APPROVE, target_of(row))
            capacity = await queue.lock_permits(session, scope.organization_id)
            deployment = await deployments.get(session, scope.organization_id, row.deployment_id, lock=True)
            row = await runs.get(session, scope.organization_id, run_id, lock=True)
            if deployment.blocked_by_run_id != row.id:
                raise NoAttentionNeeded("the run blocks nothing", state=row.state)
            deployment.blocked_by_run_id = None
            row.acknowledged_at = await now(session)
            audit.record(session, scope, "provisioning.run_acknowledged", ("run", row.id))
            await free_and_admit(session, scope, capacity)
            return Run.model_validate(row)

    async def _decide(
        self, scope: Scope, run_id: UUID, decision: Decision, reason: str | None, plan_sha256: str | None
    ) -> Run:
        async with self._database.transaction(scope) as session:
            row = await runs.get(session, scope.organization_id, run_id, lock=True)
            scope.require(Permission.RUN_APPROVE, target_of(row))
            if plan_sha256 not in {None, row.plan_sha256}:
                raise PlanDiffers("the run has another plan", plan_sha256=row.plan_sha256)
            if row.decision == decision:
                return Run.model_validate(row)
            void = is_plan_void(row, await steps.newest(session, scope.organization_id, run_id))
            waits = row.state == RunState.AWAITING_APPROVAL and not void
            if not waits or row.decision is not None or row.cancel_requested_at is not None:
                raise NoDecisionAwaited("the run does not wait for a decision", state=row.state)
            moment = await now(session)
            row.decision, row.decided_at, row.due_at = decision, moment, moment
            row.decided_by = scope.actor.as_json()
            row.decision_reason, row.decision_step_id = reason, row.plan_step_id
            await outbox.enqueue(session, scope, wake_of(row, Priority.APPLY))
            audit.record(
                session,
                scope,
                f"provisioning.run_{decision.value}",
                ("run", row.id),
                plan=row.plan_sha256,
                reason=reason,
            )
            return Run.model_validate(row)
