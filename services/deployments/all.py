"""The use cases of deployments, put together."""

from dataclasses import dataclass

from services.deployments.deployments import Deployments
from services.deployments.states import States
from services.sealed_blobs import SealedBlobs
from storage.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentServices:
    """Live things, and their states."""

    deployments: Deployments
    states: States


def make_deployments(database: Database, sealed: SealedBlobs) -> DeploymentServices:
    """Make the use cases."""
    return DeploymentServices(deployments=Deployments(database), states=States(database, sealed))
