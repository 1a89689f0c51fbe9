"""One CLI step of a run: what a runner is asked to do, and what came of it.

A step is one phase (plan, or apply) of one run. Services admit it and keep its outcome; a runner on the same
host as the worker does it. These are the nouns both sides share; no field that may hold a secret is shown by
repr or leaves the runner towards the worker.
"""

from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Final
from uuid import UUID

from pydantic import BaseModel, Field, JsonValue, model_validator

from domain.deployments.sources import EngineName
from domain.provisioning.events import ChangeSummary
from domain.provisioning.failures import ErrorClass
from domain.provisioning.inputs import Inputs


class StepPhase(StrEnum):
    """Half of a run: make and save a plan, or apply the plan that was saved."""

    PLAN = "plan"
    APPLY = "apply"


class StepOperation(StrEnum):
    """What the run wants; `plan` is a run that is never applied (a preview, drift). No engine imports yet."""

    APPLY = "apply"
    DESTROY = "destroy"
    PLAN = "plan"
    REFRESH = "refresh"
    IMPORT = "import"


class Sandbox(StrEnum):
    """What stands around guard and CLI."""

    NONE = "none"
    BUBBLEWRAP = "bubblewrap"


class InterruptReason(StrEnum):
    """Why a CLI was told to stop: five words for one path (one SIGINT, a grace, SIGKILL)."""

    CANCELED = "canceled"
    TIMEOUT = "timeout"
    SHUTDOWN = "shutdown"
    LEASE_LOST = "lease_lost"
    WORKER_GONE = "worker_gone"


class ExitClass(StrEnum):
    """How a step ended.

    A CLI that finished its work although it had been told to stop has succeeded; `interrupted`, `timed_out`
    and `lost_lease` are for one that stopped, `killed` for one that a signal ended: ours after the grace, or
    anybody's. `lost_lease` is also an apply whose newest state could not be stored, however it ended.
    """

    SUCCEEDED = "succeeded"
    NO_CHANGES = "no_changes"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    TIMED_OUT = "timed_out"
    LOST_LEASE = "lost_lease"
    KILLED = "killed"


class StepLimits(BaseModel, frozen=True):
    """The clocks of a step; deadline counts from the sending of a renewal that was granted."""

    renewal: timedelta = timedelta(seconds=5)
    deadline: timedelta = timedelta(seconds=30)
    grace: timedelta = timedelta(seconds=20)
    timeout: timedelta = timedelta(minutes=45)


class StepJob(BaseModel, frozen=True):
    """Everything a runner needs for one step. It travels over a pipe; only what the CLI reads is put on disk."""

    organization_id: UUID
    run_id: UUID
    step_id: UUID = Field(description="The fencing token: every write of the step names it.")
    phase: StepPhase
    operation: StepOperation
    engine: EngineName
    engine_path: Path
    folder: Path = Field(description="The step's own; made by the runner, removed when all of it is stored.")
    module_archive: Path = Field(description="zip or tar.gz; the caller's file, read and left alone.")
    inputs: Inputs = {}
    secret_inputs: Inputs = Field(default={}, repr=False, description="Given by environment only.")
    refuse_undeclared: bool = Field(
        default=False, description="Fail a plan whose inputs name a variable that the module does not have."
    )
    secrets: tuple[str, ...] = Field(default=(), repr=False, description="More values no log may show.")
    state: Path | None = Field(default=None, description="The newest state; None for a new deployment.")
    plan: Path | None = Field(default=None, description="The saved plan, for apply.")
    plan_sha256: str | None = None
    lock_file: Path | None = Field(default=None, description="Beside the plan; None where it had none.")
    terraformrc: str = Field(default="", repr=False)
    ca_certificate: Path | None = None
    show_plan: bool = Field(default=False, description="A person will decide: keep the plan as text too.")
    lease_started: float = Field(description="CLOCK_BOOTTIME when the request that gave the lease was sent.")
    limits: StepLimits = StepLimits()
    sandbox: Sandbox = Sandbox.NONE

    @model_validator(mode="after")
    def _apply_names_its_plan(self) -> "StepJob":
        if self.phase is StepPhase.APPLY and (self.plan is None or self.plan_sha256 is None):
            raise ValueError("an apply needs the saved plan and its sha256")
        return self


class StepFailure(BaseModel, frozen=True):
    """What went wrong, redacted: a class to act on and a sentence for people."""

    error_class: ErrorClass
    message: str
    address: str | None = None


class StepOutcome(BaseModel, frozen=True):
    """How a step ended, without a value of the deployment in it: the worker may see it and pass it on."""

    step_id: UUID
    exit_class: ExitClass
    exit_code: int | None = Field(description="The CLI's own; None where a signal ended it or none ran.")
    reason: InterruptReason | None = Field(default=None, description="Set if the CLI was told to stop.")
    changes: ChangeSummary | None = None
    failure: StepFailure | None = None
    last_serial: int | None = Field(default=None, description="Of the newest state the step has seen.")
    log_end: int = Field(default=0, description="Bytes of redacted log; all of them were stored if `stored`.")
    in_flight: tuple[str, ...] = Field(default=(), description="Addresses begun and not known to have ended.")
    exposed_inputs: tuple[str, ...] = Field(
        default=(),
        description="Names of plain inputs whose variables are sensitive; the run forgets their values.",
    )
    engine_version: str | None = None
    stored: bool = Field(
        default=True, description="False: the database did not answer in time and the folder is still there."
    )


class StepOutput(BaseModel, frozen=True):
    """One output value of the root module, kept as it is, with a NUL in a text too.

    Only half a surrogate pair, which no CLI writes and which is no text, is U+FFFD instead, and a whole number of
    more than 4300 digits is the text of them.
    """

    value: JsonValue = Field(repr=False)
    type: JsonValue
    sensitive: bool


class SavedPlan(BaseModel, frozen=True):
    """A plan in the step's folder; its files are gone once the outcome is recorded."""

    path: Path
    sha256: str
    size: int
    lock_file: Path | None
    text: str | None = Field(repr=False, description="As the CLI shows it, redacted; None unless asked for.")


class StepResult(StepOutcome, frozen=True):
    """The outcome with everything that has to be kept; it goes to the recorder and nowhere else."""

    outputs: dict[str, StepOutput] = Field(default={}, repr=False)
    plan: SavedPlan | None = None

    def outcome(self) -> StepOutcome:
        """Give the part that may leave the runner."""
        return StepOutcome.model_validate(self.model_dump(include=set(StepOutcome.model_fields)))


PROGRESS_EVERY: Final = timedelta(milliseconds=200)


class StepStage(StrEnum):
    """Where a step is."""

    PREPARING = "preparing"
    INITIALIZING = "initializing"
    PLANNING = "planning"
    APPLYING = "applying"
    STORING = "storing"


class StepProgress(BaseModel, frozen=True):
    """News of a step: n of m resources done, and a line for people; at most one per PROGRESS_EVERY."""

    stage: StepStage
    done: int = 0
    total: int | None = None
    message: str = ""
