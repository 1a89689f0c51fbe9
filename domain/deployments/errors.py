"""What deployments refuse, each with a code to search for."""

from domain.errors import ErrorKind, PlatformError


class DeploymentNotFound(PlatformError):
    """No such deployment in this organization."""

    kind = ErrorKind.NOT_FOUND
    code = "deployments.deployment_not_found"


class StateUnreadable(PlatformError):
    """The bytes are not a state file: JSON with a serial and a lineage."""

    kind = ErrorKind.INVALID
    code = "deployments.state_unreadable"
