"""Use cases on states, and what every writer of one does: its bytes first, then its row, or aside.

Who may write is the writer's own question (a step asks services.provisioning.step_states), answered in the
transaction in which it calls `add` or `set_aside`.
"""

import hashlib
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from domain.deployments.states import Misfit, StateHead, StateVersion
from domain.ids import new_id
from domain.scope import Actor, Scope
from services.sealed_blobs import SealedBlobs
from services.secrets import SealedKind
from storage import audit
from storage.database import Database, Session
from storage.deployments import deployments, states
from storage.deployments.tables import StateQuarantineRow, StateVersionRow


@dataclass(frozen=True, slots=True)
class KeptState:
    """A state whose bytes are kept; which deployment's it is, its row will say. One without a head is none."""

    id: UUID
    head: StateHead | None
    sha256: str
    size: int
    blob: str


@dataclass(frozen=True, slots=True)
class StateWriter:
    """Who wrote a state of which deployment: a step of a run, or somebody else."""

    deployment_id: UUID
    actor: Actor
    run_id: UUID | None = None
    step_id: UUID | None = None


class States:
    """Shows the states of deployments, and keeps the bytes of new ones."""

    def __init__(self, database: Database, blobs: SealedBlobs) -> None:
        """Take what the use cases need, made once at start-up."""
        self._database = database
        self._blobs = blobs

    async def page(
        self, scope: Scope, deployment_id: UUID, *, after: UUID | None, limit: int
    ) -> list[StateVersion]:
        """List the states of a deployment, the newest first.

        Raises:
            DeploymentNotFound.
        """
        async with self._database.transaction(scope) as session:
            await deployments.get(session, scope.organization_id, deployment_id)
            rows = await states.page(session, scope.organization_id, deployment_id, after=after, limit=limit)
            return [StateVersion.model_validate(row) for row in rows]

    async def keep(self, scope: Scope, data: bytes, head: StateHead | None) -> KeptState:
        """Seal and store the bytes of a state, before there is a row that names them."""
        state_id = new_id()
        blob = await self._blobs.keep(scope, SealedKind.STATE, state_id, data)
        return KeptState(state_id, head, hashlib.sha256(data).hexdigest(), len(data), blob)


async def is_kept(session: Session, scope: Scope, deployment_id: UUID, data: bytes, head: StateHead) -> bool:
    """Tell whether a deployment went through exactly this state."""
    known = await states.find(session, scope.organization_id, deployment_id, head.serial)
    return known is not None and known.sha256 == hashlib.sha256(data).hexdigest()


async def misfit_of(session: Session, scope: Scope, deployment_id: UUID, state: KeptState) -> Misfit | None:
    """Say why a state can't be its deployment's newest; None if it can, as long as nobody else may write."""
    if state.head is None:
        return Misfit.UNREADABLE
    newest = await states.newest(session, scope.organization_id, deployment_id)
    return state.head.misfit_after(None if newest is None else StateHead(newest.serial, newest.lineage))


def add(session: Session, scope: Scope, writer: StateWriter, state: KeptState) -> None:
    """Make a state its deployment's newest; `misfit_of` has found nothing against it."""
    session.add(StateVersionRow(**_columns(scope, writer, state)))


async def set_aside(session: Session, scope: Scope, writer: StateWriter, state: KeptState, reason: Misfit) -> bool:
    """Keep a state that does not fit. One of a run blocks its deployment until a person has looked.

    For something exists that the newest state does not know of. Whoever else writes one has somebody to tell.

    Returns:
        Whether it is new; the same bytes of the same writer block once.
    """
    if not await states.quarantine(session, StateQuarantineRow(**_columns(scope, writer, state), reason=reason)):
        return False
    if writer.run_id is not None:
        await deployments.block(session, scope.organization_id, writer.deployment_id, writer.run_id)
    audit.record(
        session,
        scope,
        "deployments.state_quarantined",
        ("deployment", writer.deployment_id),
        outcome="failure",
        reason=reason,
        serial=None if state.head is None else state.head.serial,
        run=writer.run_id,
    )
    return True


def _columns(scope: Scope, writer: StateWriter, state: KeptState) -> dict[str, Any]:
    return {
        "organization_id": scope.organization_id,
        "id": state.id,
        "deployment_id": writer.deployment_id,
        "run_id": writer.run_id,
        "step_id": writer.step_id,
        "written_by": writer.actor.as_json(),
        "serial": None if state.head is None else state.head.serial,
        "lineage": None if state.head is None else state.head.lineage,
        "sha256": state.sha256,
        "size": state.size,
        "blob": state.blob,
    }
