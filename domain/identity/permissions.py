"""What may be done: the one registry of permissions. Routes declare them, roles and key scopes grant them."""

from enum import StrEnum
from typing import Final, Self

EVERYTHING: Final = "*"
"""In a role or a key's scopes: every permission, later ones included."""


class Permission(StrEnum):
    """A right, named `<noun>:<verb>`; the description is what the reference page and `doctor` show."""

    description: str
    is_read: bool

    __hash__ = str.__hash__
    """As of text, which knows it already: an enum's own is counted in Python at every look into a set."""

    ORGANIZATION_READ = "organization:read", "See the organizations one belongs to.", True
    ORGANIZATION_CREATE = "organization:create", "Make organizations; a right over the installation.", False
    API_KEY_READ = "api_key:read", "List API keys, never their secrets.", True
    API_KEY_CREATE = "api_key:create", "Make API keys with at most one's own rights.", False
    API_KEY_REVOKE = "api_key:revoke", "Revoke API keys.", False
    NAMESPACE_READ = "namespace:read", "List namespaces and their signing keys.", True
    NAMESPACE_CLAIM = "namespace:claim", "Claim a registry namespace for the organization.", False
    GPG_KEY_MANAGE = "gpg_key:manage", "Add and remove the keys that providers are signed with.", False
    REGISTRY_READ = "registry:read", "Install modules and providers, and read about them.", True
    DOWNLOAD_READ = "download:read", "See who downloads what of the registry.", True
    MODULE_PUBLISH = "module:publish", "Publish module versions, deprecate and yank them.", False
    PROVIDER_PUBLISH = "provider:publish", "Publish provider versions, deprecate and yank them.", False
    TIER_READ = "tier:read", "List tiers.", True
    TIER_MANAGE = "tier:manage", "Define tiers.", False
    DEPLOYMENT_READ = "deployment:read", "See deployments and their states' metadata.", True
    RUN_READ = "run:read", "See runs, their plans and their logs.", True
    RUN_SUBMIT = "run:submit", "Submit runs.", False
    RUN_APPROVE = "run:approve", "Approve or reject what a run has planned.", False
    RUN_CANCEL = "run:cancel", "Cancel runs.", False
    RUN_READ_SECRETS = "run:read_secrets", "See a sensitive output, once.", False
    METRICS_READ = "metrics:read", "Read metrics of all organizations; a right over the installation.", True
    STATE_READ = "state:read", "Read state files, secrets included.", True

    def __new__(cls, value: str, description: str, is_read: bool) -> Self:
        """Make a member that is its value and knows its description."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.description = description
        member.is_read = is_read
        return member


PLATFORM_ONLY: Final = frozenset({Permission.ORGANIZATION_CREATE, Permission.METRICS_READ})
"""Rights over the installation: held by a grant of platform scope, never by one of an organization."""


ADMINISTRATION: Final = frozenset(Permission) - PLATFORM_ONLY
"""What an administrator of an organization may do."""


FORMER: Final = {"usage:read": Permission.DOWNLOAD_READ}
"""Names that permissions had, which rows still have: they mean what they meant. A name goes with the release whose
migration contracts, when no server writes it any more, see docs/adr/0019."""


def expand(names: list[str]) -> frozenset[Permission]:
    """Turn stored names, former ones too, into permissions; what this version does not know grants nothing."""
    if EVERYTHING in names:
        return frozenset(Permission)
    meant = {FORMER.get(name, name) for name in names}
    return frozenset(permission for permission in Permission if permission in meant)


def held(grants: dict[str, list[str]], scopes: list[str]) -> frozenset[Permission]:
    """Tell what a key may do: what its scopes name of what its owner's grants give, by scope type."""
    of_owner = expand(grants.get("organization", [])) - PLATFORM_ONLY
    of_owner |= expand(grants.get("platform", [])) & PLATFORM_ONLY
    return of_owner & expand(scopes)
