"""What workflows and activities of provisioning say to each other: ids, states and times, never a value."""

from datetime import timedelta
from typing import Final
from uuid import UUID

from pydantic import BaseModel

from domain.long_work import Priority
from domain.provisioning.run_states import FINAL, RunState
from domain.provisioning.steps import ExitClass, StepPhase

RUN_WORKFLOW: Final = "provisioning.run"


class RunReference(BaseModel, frozen=True):
    """Input of the workflow of a run."""

    organization_id: UUID
    run_id: UUID

    @property
    def workflow_id(self) -> str:
        """What the workflow is called: a run has one, however often it is started."""
        return f"run:{self.run_id}"


class StepOrder(BaseModel, frozen=True):
    """One attempt of a phase that is to be done."""

    organization_id: UUID
    run_id: UUID
    phase: StepPhase
    attempt: int
    priority: Priority
    round: int = 1  # histories recorded before there were rounds have none


class RunMove(BaseModel, frozen=True):
    """What RunMoves.advance found: where the run is now, and what its workflow does until it asks again."""

    state: RunState
    environment: str
    step: StepOrder | None = None
    interrupt: bool = False
    wait: timedelta

    @property
    def ended(self) -> bool:
        """Whether the run is final."""
        return self.state in FINAL


class StepReport(BaseModel, frozen=True):
    """What an activity has to say of a step: how it ended, for people who read the history, and what is next.

    The rows decided that, as for anybody who asks; None if nobody could be asked.
    """

    exit_class: ExitClass | None = None
    refused: str | None = None
    move: RunMove | None = None
