"""What stands in front of guard and CLI."""

from collections.abc import Sequence

from domain.errors import ErrorKind, PlatformError
from domain.run_steps import Sandbox


class SandboxMissing(PlatformError):
    """The sandbox that runs must have is not there; nothing is run without it."""

    kind = ErrorKind.UNAVAILABLE
    code = "provisioning.sandbox_missing"


def sandbox_arguments(sandbox: Sandbox) -> Sequence[str]:
    """Give the beginning of the argument list that guard and CLI are started by.

    Raises:
        SandboxMissing: this worker has no such sandbox.
    """
    if sandbox is Sandbox.BUBBLEWRAP:
        raise SandboxMissing("this worker has no bubblewrap sandbox; development runs with runner.sandbox=none")
    return ()
