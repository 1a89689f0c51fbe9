"""What a deployment is made from, and with what."""

from enum import StrEnum


class EngineName(StrEnum):
    """Which CLI does the work. Terraform and OpenTofu are equals; no worker has Pulumi yet."""

    TERRAFORM = "terraform"
    OPENTOFU = "opentofu"
    PULUMI = "pulumi"


class SourceKind(StrEnum):
    """What a deployment is made from: a module of the registry, so far."""

    MODULE = "module"
    PLUGIN = "plugin"
    REPOSITORY = "repository"
