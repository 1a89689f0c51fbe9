"""What operators hear of releases that nobody can install any more."""

import structlog

from domain.errors import PlatformError
from domain.registry.names import ProviderAddress
from domain.scope import Scope

log = structlog.get_logger(__name__)


def log_refused(scope: Scope, address: ProviderAddress, version: str, reason: PlatformError) -> None:
    """Tell operators, once it is committed, that a release is no longer served, and why."""
    log.warning(
        "release_refused",
        organization_id=str(scope.organization_id),
        provider=str(address),
        version=version,
        code=reason.code,
        reason=reason.detail,
    )
