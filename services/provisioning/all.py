"""The use cases of provisioning, put together."""

from dataclasses import dataclass
from datetime import timedelta

from services.deployments.states import States
from services.identity.hashing import KeyHasher
from services.provisioning.area import ProvisioningArea
from services.provisioning.logs import RunLogs
from services.provisioning.materials import Materials
from services.provisioning.moves import RunMoves
from services.provisioning.outcomes import Outcomes
from services.provisioning.outputs import Outputs
from services.provisioning.run_keys import RunKeys
from services.provisioning.runs import Runs
from services.provisioning.step_states import StepStates
from services.provisioning.steps import Steps
from services.provisioning.tiers import Tiers
from services.provisioning.workers import Workers
from services.sealed_blobs import SealedBlobs
from services.secrets import Envelope
from storage.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvisioningServices:
    """Runs: what people ask of them, what moves them on, and what runners record."""

    tiers: Tiers
    runs: Runs
    moves: RunMoves
    area: ProvisioningArea
    steps: Steps
    outcomes: Outcomes
    step_states: StepStates
    materials: Materials
    run_keys: RunKeys
    outputs: Outputs
    logs: RunLogs
    workers: Workers


def make_provisioning(
    database: Database,
    envelope: Envelope,
    sealed: SealedBlobs,
    states: States,
    hasher: KeyHasher,
    *,
    lease: timedelta,
) -> ProvisioningServices:
    """Make the use cases; the lease is how long a step is its runner's without a word from it."""
    return ProvisioningServices(
        tiers=Tiers(database),
        runs=Runs(database, envelope),
        moves=RunMoves(database),
        area=ProvisioningArea(database),
        steps=Steps(database, lease=lease),
        outcomes=Outcomes(database, envelope, sealed),
        step_states=StepStates(database, states),
        materials=Materials(database, envelope, sealed),
        run_keys=RunKeys(database, hasher),
        outputs=Outputs(database, envelope, sealed),
        logs=RunLogs(database),
        workers=Workers(database),
    )
