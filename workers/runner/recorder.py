"""Where a runner keeps what a step makes: the interface to the database, as the runner sees it.

`workers.runner` opens one `Recorders` when it starts, through a factory named on its command line, and takes
a `StepRecorder` from it for every job. Any method of a recorder may raise domain.errors.Unavailable or an
OSError; the runner then calls it again with the same arguments until it is answered, so each is harmless when
repeated. Any other error but LeaseLost says, if it comes again, that this can't be stored. Logs and states are
accepted even after the lease was lost, because nothing that was kept is refused.
"""

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from domain.provisioning.steps import StepJob, StepResult


class LeaseLost(Exception):
    """The step's lease has ended or another step holds the deployment; the CLI must stop."""


@dataclass(frozen=True, slots=True)
class Renewal:
    """The lease goes on for another deadline, and whether somebody has asked for the run to stop."""

    cancel_requested: bool


class StepRecorder(Protocol):
    """Keeps one step's rows. The runner calls it from one task at a time per method."""

    async def cli_started(self) -> None:
        """Commit that the CLI is about to start; without this the step is simply admitted again.

        Raises:
            LeaseLost: the step may not start.
        """
        ...

    async def renew(self) -> Renewal:
        """Prolong the lease.

        Raises:
            LeaseLost: it ended before.
        """
        ...

    async def store_log(self, offset: int, data: bytes) -> None:
        """Store redacted log; the same offset comes again only with the same bytes."""
        ...

    async def store_state(self, data: bytes) -> None:
        """Store a state file, byte for byte, aside if it does not fit; what is stored already is no news."""
        ...

    async def record_outcome(self, result: StepResult) -> None:
        """Record how the step ended, its outputs and its plan, whose files are read during this call."""
        ...


class Recorders(Protocol):
    """Gives a recorder for each job; holds the connections they share."""

    def for_step(self, job: StepJob) -> StepRecorder:
        """Make the recorder of a job."""
        ...


class RecorderFactory(Protocol):
    """What `python -m workers.runner MODULE:NAME` is given the name of."""

    def __call__(self) -> AbstractAsyncContextManager[Recorders]:
        """Open the recorders for as long as the runner lives."""
        ...
