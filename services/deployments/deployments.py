"""Use cases on deployments."""

from uuid import UUID

from domain.deployments.deployments import Deployment
from domain.scope import Scope
from storage.database import Database
from storage.deployments import deployments


class Deployments:
    """Shows deployments. Only runs change them."""

    def __init__(self, database: Database) -> None:
        """Take what the use cases need, made once at start-up."""
        self._database = database

    async def get(self, scope: Scope, deployment_id: UUID) -> Deployment:
        """Give one deployment.

        Raises:
            DeploymentNotFound.
        """
        async with self._database.transaction(scope) as session:
            row = await deployments.get(session, scope.organization_id, deployment_id)
            return Deployment.model_validate(row)

    async def page(
        self,
        scope: Scope,
        *,
        name: str | None,
        environment: str | None,
        tag: dict[str, str] | None,
        after: UUID | None,
        limit: int,
    ) -> list[Deployment]:
        """List the organization's deployments, the newest first."""
        async with self._database.transaction(scope) as session:
            rows = await deployments.page(
                session,
                scope.organization_id,
                name=name,
                environment=environment,
                tag=tag,
                after=after,
                limit=limit,
            )
            return [Deployment.model_validate(row) for row in rows]
