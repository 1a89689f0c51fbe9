"""What routes may ask for: a route says by its parameters what it needs and who may call it."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Annotated, TypeVar, cast

from fastapi import Depends, Header, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from domain.errors import PlatformError, Unavailable
from domain.idempotency import Claim
from domain.identity.permissions import Permission
from domain.identity.principal import Principal
from domain.scope import Scope
from services.all import Services
from services.deployments.deployments import Deployments
from services.deployments.states import States
from services.identity.api_keys import ApiKeys
from services.operations import Operations
from services.provisioning.logs import RunLogs
from services.provisioning.outputs import Outputs
from services.provisioning.runs import Runs
from services.provisioning.tiers import Tiers
from services.registry.documents import ModuleDocuments
from services.registry.download_counts import DownloadCounts
from services.registry.downloads import Downloads
from services.registry.gpg_keys import GpgKeys
from services.registry.modules import Modules
from services.registry.namespaces import Namespaces
from services.registry.offers import Offers
from services.registry.providers import Providers
from services.registry.verifications import Verifications
from services.registry.withdrawals import Withdrawals
from services.tenants.organizations import Organizations

T = TypeVar("T")
BEARER = HTTPBearer(
    auto_error=False, scheme_name="API key", description="An API key, `gwk_...`, as a Bearer token."
)


class Requires:
    """A dependency that lets in who has a permission, and gives the scope of what they may touch.

    Every route has one, or stands on the list of public routes; a test enumerates them.
    """

    def __init__(self, permission: Permission) -> None:
        """Take what the caller must be allowed."""
        self.permission = permission

    async def __call__(
        self, request: Request, _: Annotated[HTTPAuthorizationCredentials | None, Security(BEARER)]
    ) -> Scope:
        """Give the caller's scope.

        Raises:
            Unauthenticated, PermissionDenied, OrganizationFrozen, Unavailable.
        """
        principal = principal_of(request)
        principal.require(self.permission, now=datetime.now(UTC))
        return principal.scope(
            request_id=request.state.request_id,
            source_address=request.client.host if request.client else None,
        )

    async def again(self, request: Request) -> bool:
        """Tell whether a caller who was let in would be let in now, for answers that outlive their key.

        While nobody can tell, it stays as it was.
        """
        token = request.headers["authorization"].partition(" ")[2].strip()
        try:
            principal = await services_of(request).identity.authentication.authenticate(token)
            principal.require(self.permission, now=datetime.now(UTC))
        except Unavailable:
            return True
        except PlatformError:
            return False
        return True


def principal_of(request: Request) -> Principal:
    """Give who calls, as api.layers found out.

    Raises:
        Unauthenticated: nobody, or a key that is not good.
    """
    refusal: PlatformError | None = request.state.refusal
    if refusal is not None:
        raise refusal
    return cast("Principal", request.state.principal)


def services_of(request: Request) -> Services:
    """Give all use cases; they live as long as the application."""
    return cast("Services", request.state.services)


async def _claim(
    request: Request,
    key: Annotated[
        str | None,
        Header(
            alias="Idempotency-Key",
            min_length=1,
            max_length=255,
            description="The same key with the same body is one request, however often it is sent in a week.",
        ),
    ] = None,
) -> Claim | None:
    if key is None:
        return None
    return Claim.of(f"{request.method} {request.url.path}", key, await request.body())


def service(pick: Callable[[Services], T]) -> Callable[[Request], Awaitable[T]]:
    """Make a dependency that gives one of the services."""

    async def picked(request: Request) -> T:
        return pick(services_of(request))

    return picked


async def _workflow_pages(request: Request) -> str | None:
    return cast("str | None", request.state.workflow_pages)


async def _public_url(request: Request) -> str:
    return cast("str", request.state.public_url)


PublicUrl = Annotated[str, Depends(_public_url)]
"""What addresses of files begin with; empty where they are relative."""
WorkflowPages = Annotated[str | None, Depends(_workflow_pages)]
IdempotencyClaim = Annotated[Claim | None, Depends(_claim)]
CallerPrincipal = Annotated[Principal, Depends(principal_of)]
OrganizationService = Annotated[Organizations, Depends(service(lambda services: services.tenants.organizations))]
ApiKeyService = Annotated[ApiKeys, Depends(service(lambda services: services.identity.api_keys))]
NamespaceService = Annotated[Namespaces, Depends(service(lambda services: services.registry.namespaces))]
GpgKeyService = Annotated[GpgKeys, Depends(service(lambda services: services.registry.gpg_keys))]
ModuleService = Annotated[Modules, Depends(service(lambda services: services.registry.modules))]
ModuleDocumentService = Annotated[ModuleDocuments, Depends(service(lambda services: services.registry.documents))]
ProviderService = Annotated[Providers, Depends(service(lambda services: services.registry.providers))]
OfferService = Annotated[Offers, Depends(service(lambda services: services.registry.offers))]
VerificationService = Annotated[Verifications, Depends(service(lambda services: services.registry.verifications))]
WithdrawalService = Annotated[Withdrawals, Depends(service(lambda services: services.registry.withdrawals))]
DownloadService = Annotated[Downloads, Depends(service(lambda services: services.registry.downloads))]
DownloadCountsService = Annotated[
    DownloadCounts, Depends(service(lambda services: services.registry.download_counts))
]
TierService = Annotated[Tiers, Depends(service(lambda services: services.provisioning.tiers))]
DeploymentService = Annotated[Deployments, Depends(service(lambda services: services.deployments.deployments))]
StateService = Annotated[States, Depends(service(lambda services: services.deployments.states))]
RunService = Annotated[Runs, Depends(service(lambda services: services.provisioning.runs))]
RunLogService = Annotated[RunLogs, Depends(service(lambda services: services.provisioning.logs))]
OutputService = Annotated[Outputs, Depends(service(lambda services: services.provisioning.outputs))]
OperationService = Annotated[Operations, Depends(service(lambda services: services.operations))]
