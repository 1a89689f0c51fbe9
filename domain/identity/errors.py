"""What identity refuses."""

from domain.errors import ErrorKind, PlatformError


class Unauthenticated(PlatformError):
    """There is no key, or it is unknown, revoked or expired: send a valid one as a Bearer token.

    The answer is the same in each case, so that nothing is learnt by trying.
    """

    kind = ErrorKind.UNAUTHENTICATED
    code = "identity.unauthenticated"


class PermissionDenied(PlatformError):
    """The key is valid and lacks the right: ask an administrator for it, or use a key with that scope."""

    kind = ErrorKind.PERMISSION_DENIED
    code = "identity.permission_denied"


class OrganizationFrozen(PlatformError):
    """The organization is frozen or its trial is over: it can be read, and changes nothing."""

    kind = ErrorKind.PERMISSION_DENIED
    code = "identity.organization_frozen"


class ApiKeyNotFound(PlatformError):
    """No such API key in this organization."""

    kind = ErrorKind.NOT_FOUND
    code = "identity.api_key_not_found"


class ApiKeyIsLast(PlatformError):
    """Without this key nobody would administer the organization: make another such key first."""

    kind = ErrorKind.CONFLICT
    code = "identity.api_key_is_last"


class ScopeExceedsOwner(PlatformError):
    """A key can't have rights that the one who makes it lacks."""

    kind = ErrorKind.PERMISSION_DENIED
    code = "identity.scope_exceeds_owner"


class ExpiryPast(PlatformError):
    """The expiry lies in the past."""

    kind = ErrorKind.INVALID
    code = "identity.expiry_past"
