"""What a deployment is made with."""

from enum import StrEnum


class EngineName(StrEnum):
    """Which CLI does the work; the two are equals."""

    TERRAFORM = "terraform"
    OPENTOFU = "opentofu"
