"""Routes of deployments and their states."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query

from api.dependencies import DeploymentService, Requires, StateService
from api.deployments.schemas import TagFilter
from api.pagination import CallerPaging, Page
from domain.deployments.deployments import Deployment
from domain.deployments.names import EnvironmentName
from domain.deployments.states import StateVersion
from domain.identity.permissions import Permission
from domain.scope import Scope
from domain.text import Text

router = APIRouter(prefix="/api/v1/deployments", tags=["deployments"])

MayRead = Annotated[Scope, Depends(Requires(Permission.DEPLOYMENT_READ))]


@router.get("", operation_id="list_deployments")
async def list_deployments(
    *,
    scope: MayRead,
    deployments: DeploymentService,
    paging: CallerPaging,
    tags: Annotated[TagFilter, Depends()],
    name: Annotated[Text | None, Query(max_length=63, description="The one of exactly this name.")] = None,
    environment: EnvironmentName | None = None,
) -> Page[Deployment]:
    """List deployments, the newest first."""
    return await paging.of(
        lambda after, limit: deployments.page(
            scope, name=name, environment=environment, tag=tags.wanted, after=after, limit=limit
        )
    )


@router.get("/{deployment_id}", operation_id="get_deployment")
async def get_deployment(deployment_id: UUID, scope: MayRead, deployments: DeploymentService) -> Deployment:
    """Show a deployment."""
    return await deployments.get(scope, deployment_id)


@router.get("/{deployment_id}/states", operation_id="list_deployment_states")
async def list_deployment_states(
    deployment_id: UUID, scope: MayRead, states: StateService, paging: CallerPaging
) -> Page[StateVersion]:
    """List the states a deployment went through, the newest first; their contents are not shown here."""
    return await paging.of(lambda after, limit: states.page(scope, deployment_id, after=after, limit=limit))
