"""What stands in front of guard and CLI."""

from collections.abc import Sequence
from typing import Final

from domain.provisioning.errors import SandboxMissing
from domain.provisioning.steps import Sandbox

NOT_YET: Final = (
    "this release has no bubblewrap sandbox yet, and code of modules runs in none but development: "
    "set environment=development and runner.sandbox=none where every module is trusted"
)
"""What runs are refused with, and what `doctor` says."""


def sandbox_arguments(sandbox: Sandbox) -> Sequence[str]:
    """Give the beginning of the argument list that guard and CLI are started by.

    Raises:
        SandboxMissing: there is no such sandbox.
    """
    if sandbox is Sandbox.BUBBLEWRAP:
        raise SandboxMissing(NOT_YET)
    return ()
