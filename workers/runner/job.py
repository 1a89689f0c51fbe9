"""What a worker and its runner say to each other, one JSON line each.

The worker writes a StepJob, and later perhaps an Interrupt; the end of its pipe says that the worker is gone.
The runner answers Ready once, then for each job any number of Progress, and one Ended.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, Field, TypeAdapter

from domain.provisioning.steps import InterruptReason, StepJob, StepOutcome, StepProgress


class Start(BaseModel, frozen=True):
    """Do this step."""

    kind: Literal["start"] = "start"
    job: StepJob


class Interrupt(BaseModel, frozen=True):
    """Stop the running CLI, once, for a reason."""

    kind: Literal["interrupt"] = "interrupt"
    reason: InterruptReason


class Ready(BaseModel, frozen=True):
    """Everything is imported and the recorders are open."""

    kind: Literal["ready"] = "ready"


class Progress(BaseModel, frozen=True):
    """News of the running step."""

    kind: Literal["progress"] = "progress"
    progress: StepProgress


class Ended(BaseModel, frozen=True):
    """The step ended and its outcome is recorded, or, if not `stored`, kept in its folder."""

    kind: Literal["ended"] = "ended"
    outcome: StepOutcome


Order = Annotated[Start | Interrupt, Field(discriminator="kind")]
Answer = Annotated[Ready | Progress | Ended, Field(discriminator="kind")]
ORDER: TypeAdapter[Order] = TypeAdapter(Order)
ANSWER: TypeAdapter[Answer] = TypeAdapter(Answer)
