"""What of the words that the tables hold a worker of this release can do."""

from typing import Final

from domain.deployments.sources import EngineName
from domain.provisioning.errors import NotOffered
from domain.provisioning.steps import StepOperation

ENGINES: Final = frozenset({EngineName.TERRAFORM, EngineName.OPENTOFU})
OPERATIONS: Final = frozenset(StepOperation) - {StepOperation.IMPORT}


def check_engine(engine: EngineName | None) -> None:
    """Refuse an engine that no worker has; None, for whichever there is, is fine.

    Raises:
        NotOffered.
    """
    if engine is not None and engine not in ENGINES:
        raise NotOffered(f"no worker has {engine} yet", engines=sorted(ENGINES))


def check_operation(operation: StepOperation) -> None:
    """Refuse what no engine does.

    Raises:
        NotOffered.
    """
    if operation not in OPERATIONS:
        raise NotOffered(f"no engine does {operation} yet", operations=sorted(OPERATIONS))
