"""The application: use cases in, routes on."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib.metadata import version
from typing import TypedDict

from fastapi import FastAPI
from starlette.types import ASGIApp

from api.compat.r1 import router as r1_router
from api.deployments.routes import router as deployments_router
from api.identity.routes import router as identity_router
from api.layers import AuthenticationLayer, InputLayer, RequestLayer
from api.operations.metrics import write_counts
from api.operations.routes import router as operations_router
from api.problems import Problem, add_problem_handlers
from api.protocols.cache import ByteCache, KeepingLayer, KeptAnswerLayer
from api.protocols.discovery import router as discovery_router
from api.protocols.downloads import router as downloads_router
from api.protocols.modules import router as public_modules_router
from api.protocols.providers import router as public_providers_router
from api.protocols.terraform import router as terraform_router
from api.provisioning.logs import router as logs_router
from api.provisioning.routes import router as provisioning_router
from api.registry.analytics import router as analytics_router
from api.registry.documents import router as documents_router
from api.registry.routes import router as registry_router
from api.registry.verifications import router as verifications_router
from api.registry.versions import router as versions_router
from api.registry.withdrawals import router as withdrawals_router
from api.routing import Routes
from api.tenants.routes import router as tenants_router
from services.all import Services

ROUTERS = (
    tenants_router,
    identity_router,
    registry_router,
    analytics_router,
    documents_router,
    verifications_router,
    versions_router,
    withdrawals_router,
    discovery_router,
    terraform_router,
    public_modules_router,
    public_providers_router,
    downloads_router,
    deployments_router,
    provisioning_router,
    logs_router,
    r1_router,
    operations_router,
)


class State(TypedDict):
    """What lives as long as the application; routes reach it through api.dependencies."""

    services: Services
    workflow_pages: str | None
    public_url: str


def create_app(
    services: Services,
    *,
    public_url: str = "",
    workflow_pages: str | None = None,
    background: tuple[Callable[[], Awaitable[None]], ...] = (),
) -> ASGIApp:
    """Make the application: the routes, and the layers around them.

    The layers stand outside of the framework's own: an answer from the byte cache meets none of those.

    Args:
        services: the use cases.
        public_url: what addresses of files begin with, without a slash at the end. Without it they are relative,
            which terraform and tofu follow, and other tools do not.
        workflow_pages: address that the pages of workflows in the Temporal Web UI are below, where it is known.
        background: what runs beside the requests until the application stops, such as listening to commits; it
            goes on by itself after a failure, and tells of it.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[State]:
        async with _running(background):
            yield {"services": services, "workflow_pages": workflow_pages, "public_url": public_url}
        write_counts()

    routes = Routes(route for router in ROUTERS for route in router.routes)
    bounded = InputLayer(create_routes(lifespan))
    cache, authentication = ByteCache(services.registry.changes), services.identity.authentication
    authenticated = AuthenticationLayer(KeepingLayer(bounded, cache, services.registry.counter), authentication)
    return KeptAnswerLayer(RequestLayer(authenticated, routes), cache, authentication, services.registry.counter)


def create_routes(lifespan: Callable[[FastAPI], AbstractAsyncContextManager[State]] | None = None) -> FastAPI:
    """Make what answers: all routes, with their description. Its description needs no layers."""
    app = FastAPI(
        title="Groundwork",
        version=version("groundwork"),
        summary="Registry, provisioning and tenants of a platform team.",
        lifespan=lifespan,
        redirect_slashes=False,  # it would name the host that the caller named, before any key is asked for
        responses={"4XX": {"model": Problem, "description": "A problem document, with what to do next."}},
    )
    add_problem_handlers(app)
    for router in ROUTERS:
        app.include_router(router)
    return app


@asynccontextmanager
async def _running(background: tuple[Callable[[], Awaitable[None]], ...]) -> AsyncIterator[None]:
    tasks = [asyncio.ensure_future(work()) for work in background]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
