"""Use cases on deployments."""

from collections.abc import Sequence
from uuid import UUID

from domain.deployments.deployments import Deployment, state_of
from domain.scope import Scope
from storage.database import Database, Session
from storage.deployments import deployments, states
from storage.deployments.tables import DeploymentRow


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
            return (await _nouns(session, scope, [row]))[0]

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
            return await _nouns(session, scope, rows)


async def _nouns(session: Session, scope: Scope, rows: Sequence[DeploymentRow]) -> list[Deployment]:
    """Make nouns of rows, with what their states tell."""
    newest = await states.newest_times(session, scope.organization_id, [row.id for row in rows])
    return [
        Deployment(
            **{field: getattr(row, field) for field in Deployment.model_fields if field != "state"},
            state=state_of(
                was_applied=row.applied_run_id is not None,
                destroyed_at=row.destroyed_at,
                newest_state_at=newest.get(row.id),
            ),
        )
        for row in rows
    ]
