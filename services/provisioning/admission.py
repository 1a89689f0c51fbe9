"""Who may begin: what submit, the end of a run or of a hold, and the tick do alike in their transactions."""

from typing import NamedTuple

from domain.provisioning.run_states import FINAL
from domain.provisioning.steps import StepOperation
from domain.scope import Scope
from services.provisioning.wakes import wake_of
from storage import audit, outbox
from storage.database import Session, now
from storage.deployments import locks
from storage.provisioning import queue
from storage.provisioning.tables import RunRow


class Moved(NamedTuple):
    """How much of what waited goes on."""

    released: int
    """Locks that were let go of."""
    admitted: int
    """Runs that were admitted."""


async def free_and_admit(session: Session, scope: Scope, capacity: dict[str, int | None]) -> Moved:
    """Let go of the locks of runs that have ended, and admit whoever waits for what is free now.

    Everybody calls it who ends a run, releases a lock, or takes away what blocks a deployment. Once the session is
    flushed it sees what they did; the rest is as for admit_next.
    """
    await session.flush()
    ended = await queue.locks_of_ended(session, scope.organization_id)
    released = [lock for lock in ended if await locks.release(session, lock)]
    return Moved(len(released), len(await admit_next(session, scope, capacity)))


async def admit_next(session: Session, scope: Scope, capacity: dict[str, int | None]) -> list[RunRow]:
    """Admit the first waiting run of every free deployment, as far as the permits go, and wake them.

    Args:
        session: holds the organization's permits (queue.lock_permits), so nobody else admits meanwhile.
        scope: the organization.
        capacity: what lock_permits gave.
    """
    at_work = await queue.working(session, scope.organization_id)
    full = {environment for environment in capacity if not has_room(capacity, at_work, environment)}
    if queue.WHOLE_ORGANIZATION in full:
        return []
    chosen: list[RunRow] = []
    for run in await queue.next_in_line(session, scope.organization_id, full=full):
        if has_room(capacity, at_work, run.environment):
            at_work[run.environment] = at_work.get(run.environment, 0) + 1
            chosen.append(run)
    admitted = []
    locked = await queue.lock_runs(
        session, scope.organization_id, [run.id for run in chosen], [run.deployment_id for run in chosen]
    )
    for run in locked:
        if run.state in FINAL or run.admitted_at is not None:
            continue
        # A state client or a person may have taken the lock since; then the run stays in line.
        if run.operation == StepOperation.PLAN or await queue.take_lock(session, run):
            run.admitted_at = run.due_at = await now(session)
            await outbox.enqueue(session, scope, wake_of(run))
            audit.record(session, scope, "provisioning.run_admitted", ("run", run.id))
            admitted.append(run)
    return admitted


def has_room(capacity: dict[str, int | None], at_work: dict[str, int], environment: str) -> bool:
    """Tell whether one more run of an environment may work, by the permits and who works already."""
    whole = capacity.get(queue.WHOLE_ORGANIZATION)
    own = capacity.get(environment)
    return (whole is None or sum(at_work.values()) < whole) and (own is None or at_work.get(environment, 0) < own)
