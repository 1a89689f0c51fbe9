"""What every write of a running step does first: see to it that the step is still the one."""

from uuid import UUID

from domain.provisioning.errors import StepSuperseded
from domain.scope import Scope
from storage.database import Session, now
from storage.provisioning import deployments, steps
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
    await deployments.hold_fence(session, step)
    step = await steps.get(session, scope.organization_id, step_id, lock=True)
    if lease and (step.finished_at is not None or step.lease_expires_at <= await now(session)):
        raise StepSuperseded("the step's lease has ended", step_id=str(step_id))
    return step
