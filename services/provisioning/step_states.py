"""Use cases on the states that steps write: every one is kept, and one that does not fit is kept aside."""

from dataclasses import dataclass
from uuid import UUID

from domain.deployments.errors import StateUnreadable
from domain.deployments.states import Misfit, StateHead
from domain.provisioning.steps import StepPhase
from domain.scope import Actor, ActorKind, Scope
from services.deployments.states import (
    KeptState,
    States,
    StateWriter,
    add,
    is_kept,
    misfit_of,
    set_aside,
)
from services.provisioning.wakes import wake_of
from storage import outbox
from storage.database import Database, Session
from storage.deployments import deployments
from storage.provisioning import runs, steps
from storage.provisioning.tables import RunStepRow


@dataclass(frozen=True, slots=True)
class Kept:
    """Where a state went: to be the deployment's newest, or aside."""

    serial: int | None
    quarantined: bool


class StepStates:
    """Keeps the states that steps write."""

    def __init__(self, database: Database, states: States) -> None:
        """Take what the use cases need, made once at start-up."""
        self._database = database
        self._states = states

    async def store(self, scope: Scope, step_id: UUID, data: bytes, *, is_final: bool = False) -> Kept:
        """Keep a state of a step, late or not: first its bytes, then its row. Again is harmless.

        Args:
            scope: whose step it is.
            step_id: the token.
            data: the state.
            is_final: nobody writes it any more; then it is kept aside if it is none.

        Raises:
            StateUnreadable: it is none, and may become one.
            StepSuperseded: no step ever had this token.
        """
        head = _head(data, is_final=is_final)
        async with self._database.transaction(scope) as session:
            step = await steps.get(session, scope.organization_id, step_id)
            if head is not None and await is_kept(session, scope, step.deployment_id, data, head):
                return Kept(head.serial, quarantined=False)
        state = await self._states.keep(scope, data, head)
        async with self._database.transaction(scope) as session:
            step = await steps.get(session, scope.organization_id, step_id)
            actor = Actor(ActorKind.RUN, str(step.run_id))
            writer = StateWriter(step.deployment_id, actor, run_id=step.run_id, step_id=step.id)
            misfit = await _misfit(session, scope, step, state)
            if misfit is None:
                add(session, scope, writer, state)
            elif await set_aside(session, scope, writer, state, misfit):
                for run in await runs.void_plans(session, scope.organization_id, step.deployment_id):
                    await outbox.enqueue(session, scope, wake_of(run))
            return Kept(None if head is None else head.serial, quarantined=misfit is not None)


def _head(data: bytes, *, is_final: bool) -> StateHead | None:
    try:
        return StateHead.read(data)
    except StateUnreadable:
        if is_final:
            return None
        raise


async def _misfit(session: Session, scope: Scope, step: RunStepRow, state: KeptState) -> Misfit | None:
    """Say why a state may not be its deployment's newest; None if it may, until the transaction ends."""
    # A step that plans writes its own rows, and no state: code of a module can put one in its folder.
    writes = step.fenced and step.phase == StepPhase.APPLY
    holds = writes and await deployments.hold_fence(session, scope.organization_id, step.deployment_id, step.id)
    return await misfit_of(session, scope, step.deployment_id, state) if holds else Misfit.TOKEN
