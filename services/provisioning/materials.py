"""What a step works on, fetched and opened: the bytes behind an assignment."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from domain.provisioning.inputs import Inputs
from domain.scope import Scope
from services.provisioning.steps import Assignment
from services.sealed_blobs import SealedBlobs
from services.secrets import Envelope, SealedKind
from storage.database import Database
from storage.provisioning import runs


@dataclass(frozen=True, slots=True)
class StepMaterials:
    """Bytes and values; they go to the runner and nowhere else."""

    module_archive: bytes = field(repr=False)
    state: bytes | None = field(repr=False)
    plan: bytes | None = field(repr=False)
    lock_file: bytes | None = field(repr=False)
    secret_inputs: Inputs = field(repr=False)


class Materials:
    """Fetches what assignments name."""

    def __init__(self, database: Database, envelope: Envelope, blobs: SealedBlobs) -> None:
        """Take what the use cases need, made once at start-up."""
        self._database = database
        self._envelope = envelope
        self._blobs = blobs

    async def fetch(self, scope: Scope, assignment: Assignment) -> StepMaterials:
        """Fetch everything an admitted step needs.

        Raises:
            SealBroken: something stored was changed.
        """
        state, plan = assignment.state, assignment.plan
        return StepMaterials(
            module_archive=await self._blobs.read_open(assignment.module_digest),
            state=None if state is None else await self._blobs.read(scope, SealedKind.STATE, state.id, state.blob),
            plan=None if plan is None else await self._blobs.read(scope, SealedKind.PLAN, plan.step_id, plan.blob),
            lock_file=(
                None
                if plan is None or plan.lock_file_blob is None
                else await self._blobs.read(scope, SealedKind.LOCK_FILE, plan.step_id, plan.lock_file_blob)
            ),
            secret_inputs=await self._open_inputs(scope, assignment.secrets_run_id, assignment.secret_input_names),
        )

    async def secret_inputs(self, scope: Scope, run_id: UUID) -> Inputs:
        """Open the secret inputs of a run, for whoever has to keep them out of its log.

        Raises:
            RunNotFound.
            SealBroken: something stored was changed.
        """
        async with self._database.transaction(scope) as session:
            run = await runs.get(session, scope.organization_id, run_id)
            given_to, names = run.secrets_run_id, tuple(run.secret_input_names)
        return await self._open_inputs(scope, given_to, names)

    async def _open_inputs(self, scope: Scope, run_id: UUID | None, names: Sequence[str]) -> Inputs:
        if run_id is None:
            return {}
        async with self._database.transaction(scope) as session:
            sealed = await runs.secret_inputs(session, scope.organization_id, run_id)
        wanted = {name: sealed[name] for name in names}
        return await self._envelope.open_values(scope, SealedKind.RUN_SECRET_INPUT, run_id, wanted)
