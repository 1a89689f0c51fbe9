"""What tenants refuse."""

from domain.errors import ErrorKind, PlatformError


class OrganizationExists(PlatformError):
    """The slug belongs to another organization: choose another one."""

    kind = ErrorKind.CONFLICT
    code = "tenants.organization_exists"


class OrganizationNotFound(PlatformError):
    """No such organization, or the caller is not in it."""

    kind = ErrorKind.NOT_FOUND
    code = "tenants.organization_not_found"


class SlugInvalid(PlatformError):
    """A slug is 1 to 63 lower-case letters, digits and hyphens, no hyphen at either end, and not reserved."""

    kind = ErrorKind.INVALID
    code = "tenants.slug_invalid"
