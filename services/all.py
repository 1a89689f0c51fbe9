"""All use cases of the product, made once per process by a composition root."""

from dataclasses import dataclass

from domain.cursors import CursorSigner
from services import upkeep
from services.areas import Area
from services.blobs import Blobs
from services.deployments.all import DeploymentServices
from services.identity.all import IdentityServices
from services.operations import Operations
from services.provisioning import wakes
from services.provisioning.all import ProvisioningServices
from services.registry import documents, verifications
from services.registry.all import RegistryServices
from services.secrets import Envelope
from services.tenants.all import TenantServices
from services.upkeep import Upkeep


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """One field per area, and what belongs to all of them.

    Routes reach use cases through api.dependencies, activities get them in their constructors.
    """

    identity: IdentityServices
    tenants: TenantServices
    registry: RegistryServices
    deployments: DeploymentServices
    provisioning: ProvisioningServices
    operations: Operations
    blobs: Blobs
    upkeep: Upkeep
    envelope: Envelope
    cursors: CursorSigner

    @property
    def areas(self) -> dict[str, Area]:
        """Those with long work, by the name that their wakes carry; the tick looks after each."""
        return {
            wakes.AREA: self.provisioning.area,
            documents.AREA: self.registry.documents,
            verifications.AREA: self.registry.verifications,
            upkeep.AREA: self.upkeep,
        }
