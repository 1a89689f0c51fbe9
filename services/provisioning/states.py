"""Use cases on states: every one that a CLI writes is kept, and one that does not fit is kept aside."""

import hashlib
import json
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from domain.ids import new_id
from domain.provisioning.errors import StateUnreadable, StepSuperseded
from domain.scope import Scope
from services.provisioning.sealed_blobs import SealedBlobs
from services.provisioning.wakes import wake_of
from storage import audit, outbox
from storage.database import Database, Session
from storage.provisioning import deployments, steps
from storage.provisioning.tables import RunStepRow, StateQuarantineRow, StateVersionRow

STATE: Final = "state"


@dataclass(frozen=True, slots=True)
class Kept:
    """Where a state went: to be the deployment's newest, or aside."""

    serial: int
    quarantined: bool


@dataclass(frozen=True, slots=True)
class _State:
    id: UUID
    serial: int
    lineage: str
    sha256: str
    size: int
    blob: str


class States:
    """Keeps the states of deployments."""

    def __init__(self, database: Database, blobs: SealedBlobs) -> None:
        """Take what the use cases need, made once at start-up."""
        self._database = database
        self._blobs = blobs

    async def store(self, scope: Scope, step_id: UUID, data: bytes) -> Kept:
        """Keep a state of a step, late or not: first its bytes, then its row. Again is harmless.

        Raises:
            StateUnreadable: it is no state.
            StepSuperseded: no step ever had this token.
        """
        serial, lineage = _read(data)
        digest = hashlib.sha256(data).hexdigest()
        async with self._database.transaction(scope) as session:
            step = await steps.get(session, scope.organization_id, step_id)
            known = await deployments.get_state(session, scope.organization_id, step.deployment_id, serial)
            if known is not None and known.sha256 == digest:
                return Kept(serial, quarantined=False)
        state_id = new_id()
        blob = await self._blobs.keep(scope, STATE, state_id, data)
        state = _State(state_id, serial, lineage, digest, len(data), blob)
        async with self._database.transaction(scope) as session:
            step = await steps.get(session, scope.organization_id, step_id)
            misfit = await _misfit(session, step, state)
            if misfit is None:
                session.add(_version(step, state))
                return Kept(serial, quarantined=False)
            await _set_aside(session, scope, step, state, misfit)
            return Kept(serial, quarantined=True)


async def _misfit(session: Session, step: RunStepRow, state: _State) -> str | None:
    """Say why a state may not be its deployment's newest; None if it may, until the transaction ends."""
    try:
        await deployments.hold_fence(session, step)
    except StepSuperseded:
        return "token"
    if not step.fenced:
        return "token"
    newest = await deployments.newest_state(session, step.organization_id, step.deployment_id)
    if newest is None:
        return None
    if newest.lineage != state.lineage:
        return "lineage"
    return None if state.serial > newest.serial else "serial"


async def _set_aside(session: Session, scope: Scope, step: RunStepRow, state: _State, reason: str) -> None:
    row = StateQuarantineRow(
        organization_id=step.organization_id,
        id=state.id,
        deployment_id=step.deployment_id,
        run_id=step.run_id,
        step_id=step.id,
        reason=reason,
        serial=state.serial,
        lineage=state.lineage,
        sha256=state.sha256,
        size=state.size,
        blob=state.blob,
    )
    if await deployments.quarantine(session, row):
        # Something exists that the newest state does not know of: nothing is applied until a person has looked.
        for run in await deployments.block(session, step.organization_id, step.deployment_id, step.run_id):
            await outbox.enqueue(session, scope, wake_of(run))
        audit.record(
            session,
            scope,
            "provisioning.state_quarantined",
            ("deployment", step.deployment_id),
            outcome="failure",
            reason=reason,
            serial=state.serial,
            run=step.run_id,
        )


def _version(step: RunStepRow, state: _State) -> StateVersionRow:
    return StateVersionRow(
        organization_id=step.organization_id,
        id=state.id,
        deployment_id=step.deployment_id,
        run_id=step.run_id,
        step_id=step.id,
        serial=state.serial,
        lineage=state.lineage,
        sha256=state.sha256,
        size=state.size,
        blob=state.blob,
    )


def _read(data: bytes) -> tuple[int, str]:
    try:
        said = json.loads(data)
        serial, lineage = said["serial"], said["lineage"]
    except (ValueError, KeyError, TypeError) as error:
        raise StateUnreadable("this is not a state file") from error
    if not isinstance(serial, int) or not isinstance(lineage, str) or not 0 <= serial < 2**63:
        raise StateUnreadable("this is not a state file")
    return serial, lineage
