"""All use cases of the product, made once per process by a composition root."""

from dataclasses import dataclass

from domain.cursors import CursorSigner
from services.changes import Changes
from services.deployments.deployments import Deployments
from services.deployments.states import States
from services.identity.api_keys import ApiKeys
from services.identity.authentication import Authentication
from services.operations import Operations
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
from services.registry.downloads import Downloads
from services.registry.gpg_keys import GpgKeys
from services.registry.modules import Modules
from services.registry.namespaces import Namespaces
from services.registry.providers import Providers
from services.secrets import Envelope
from services.tenants.organizations import Organizations
from services.upkeep import Upkeep


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """One field per noun; routes reach them through api.dependencies, activities by their constructors."""

    authentication: Authentication
    authorization_changes: Changes
    organizations: Organizations
    api_keys: ApiKeys
    envelope: Envelope
    cursors: CursorSigner
    namespaces: Namespaces
    gpg_keys: GpgKeys
    modules: Modules
    providers: Providers
    downloads: Downloads
    registry_changes: Changes
    tiers: Tiers
    deployments: Deployments
    states: States
    runs: Runs
    moves: RunMoves
    area: ProvisioningArea
    steps: Steps
    outcomes: Outcomes
    step_states: StepStates
    materials: Materials
    run_keys: RunKeys
    outputs: Outputs
    run_logs: RunLogs
    workers: Workers
    operations: Operations
    upkeep: Upkeep
