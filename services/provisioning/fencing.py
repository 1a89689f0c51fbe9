"""What every write of a running step does first: see to it that the step is still the one."""

from uuid import UUID

from domain.provisioning.errors import StepSuperseded
from domain.scope import Scope
from storage.database import Session, now
from storage.deployments import deployments
from storage.provisioning import runs, steps
from storage.provisioning.tables import RunStepRow


async def hold_step(session: Session, scope: Scope, step_id: UUID, *, lease: bool = True) -> RunStepRow:
    """Read a step for writing while it is certain that it is still the one.

    Args:
        session: the transaction of the write.
        scope: whose step it is.
        step_id: the token.
        lease: whether the lease must be live as well; an outcome counts as long as nobody took over.

    Raises:
        StepSuperseded: it is not.
    """
    step = await steps.get(session, scope.organization_id, step_id)
    if not step.fenced:  # a run that only plans writes its own rows, and no state
        await _hold_run(session, step)
    elif not await deployments.hold_fence(session, scope.organization_id, step.deployment_id, step_id):
        raise StepSuperseded("another step holds the deployment", step_id=str(step_id))
    step = await steps.get(session, scope.organization_id, step_id, lock=True)
    if lease and (step.finished_at is not None or step.lease_expires_at <= await now(session)):
        raise StepSuperseded("the step's lease has ended", step_id=str(step_id))
    return step


async def _hold_run(session: Session, step: RunStepRow) -> None:
    """Do the same for a step of a run that only plans: it holds no deployment, and writes to its run alone."""
    run = await runs.get(session, step.organization_id, step.run_id, lock=True)
    newest = (await steps.of_run(session, step.organization_id, step.run_id))[-1]
    if run.finished_at is not None or newest.id != step.id:
        raise StepSuperseded("the run has ended, or another step works for it", step_id=str(step.id))
