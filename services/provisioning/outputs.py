"""Use cases on what runs came to: their plans as people read them, and their outputs."""

from dataclasses import replace
from typing import Final
from uuid import UUID

from pydantic import JsonValue

from domain.idempotency import Claim
from domain.identity.permissions import Permission
from domain.ids import new_id
from domain.provisioning.errors import OutputsShown, PlanNotReady
from domain.provisioning.runs import Output, PlanText
from domain.scope import Scope
from services.provisioning.submission import target_of
from services.sealed_blobs import SealedBlobs
from services.secrets import Envelope, SealedKind
from storage import audit, idempotency
from storage.database import Database, now
from storage.provisioning import runs, steps

SHOWN: Final = "the sensitive outputs of this run were shown before"


class Outputs:
    """Shows plans and outputs. A sensitive output is shown once, to who may, and that is recorded."""

    def __init__(self, database: Database, envelope: Envelope, blobs: SealedBlobs) -> None:
        """Take what the use cases need, made once at start-up."""
        self._database = database
        self._envelope = envelope
        self._blobs = blobs

    async def plan(self, scope: Scope, run_id: UUID) -> PlanText:
        """Give the plan of a run as its CLI shows it, redacted.

        Raises:
            RunNotFound.
            PlanNotReady: there is none, or it was made to be applied without being shown.
        """
        async with self._database.transaction(scope) as session:
            run = await runs.get(session, scope.organization_id, run_id)
            step_id, blob, sha256 = run.plan_step_id, None, None
            if step_id is not None:
                step = await steps.get(session, scope.organization_id, step_id)
                blob, sha256 = step.plan_text_blob, step.plan_sha256
        if step_id is None or blob is None or sha256 is None:
            raise PlanNotReady("there is no plan to show", state=run.state)
        text = await self._blobs.read(scope, SealedKind.PLAN_TEXT, step_id, blob)
        return PlanText(sha256=sha256, text=text.decode())

    async def of_run(self, scope: Scope, run_id: UUID) -> list[Output]:
        """List a run's outputs, without the values of sensitive ones.

        Raises:
            RunNotFound.
        """
        async with self._database.transaction(scope) as session:
            await runs.get(session, scope.organization_id, run_id)
            rows = await runs.outputs(session, scope.organization_id, run_id)
            return [Output.model_validate(row) for row in rows]

    async def reveal(self, scope: Scope, run_id: UUID, claim: Claim | None = None) -> dict[str, JsonValue]:
        """Give the values of a run's sensitive outputs, the first time they are asked for.

        Whoever saw them may ask again with the same claim, for an answer that was lost on the way: they are kept
        sealed and are opened once more. To anybody else, with that key too, they were shown before.

        Raises:
            RunNotFound, PermissionDenied, IdempotencyKeyReused.
            OutputsShown: they were seen before, by somebody else or without this claim.
        """
        async with self._database.transaction(scope) as session:
            run = await runs.get(session, scope.organization_id, run_id)
            scope.require(Permission.RUN_READ_SECRETS, target_of(run))
            if run.secrets_shown_at is not None and claim is None:
                raise OutputsShown(SHOWN)
            rows = [row for row in await runs.outputs(session, scope.organization_id, run_id) if row.sensitive]
            sealed = {row.name: (row.step_id, row.sealed or b"") for row in rows}
        # Opened before they count as shown: what can't be opened now was seen by nobody.
        opened: dict[str, JsonValue] = {}
        for name, (step_id, value) in sealed.items():
            opened |= await self._envelope.open_values(scope, SealedKind.RUN_OUTPUT, step_id, {name: value})
        if opened:
            await self._note_shown(scope, run_id, claim, ", ".join(opened))
        return opened

    async def _note_shown(self, scope: Scope, run_id: UUID, claim: Claim | None, names: str) -> None:
        showing = new_id()
        async with self._database.transaction(scope) as session:
            run = await runs.get(session, scope.organization_id, run_id, lock=True)
            again = await idempotency.claim(session, scope, _of_actor(scope, claim), showing) != showing
            if run.secrets_shown_at is not None and not again:
                raise OutputsShown(SHOWN)
            run.secrets_shown_at = run.secrets_shown_at or await now(session)
            audit.record(
                session, scope, "provisioning.outputs_revealed", ("run", run_id), names=names, again=again
            )


def _of_actor(scope: Scope, claim: Claim | None) -> Claim | None:
    """Bind a claim to who makes it: a key that another one has read is no way to what they were shown."""
    if claim is None:
        return None
    return replace(claim, operation=f"{claim.operation} by {scope.actor.kind}:{scope.actor.id}")
