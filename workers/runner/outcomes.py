"""What came of a step: from how the CLI ended, why it was stopped and what it said."""

import errno
import hashlib
import json
import signal
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from domain.errors import ErrorKind, PlatformError
from domain.provisioning.events import RunTally
from domain.provisioning.failures import ErrorClass, classify
from domain.provisioning.inputs import Inputs
from domain.provisioning.steps import (
    ExitClass,
    InterruptReason,
    SavedPlan,
    StepFailure,
    StepOutput,
    StepPhase,
    StepResult,
)
from domain.redaction import secret_texts
from integrations.engines.engine import StepFolder
from workers.runner.files import Replaced, TooLarge, read_regular
from workers.runner.guarded import CliExit
from workers.runner.keeping import NotKept, Refused

_LONGEST_INTEGER: Final = 4300  # digits; sys.get_int_max_str_digits() of every process that reads it again
_CHANGES_PLANNED: Final = 2  # -detailed-exitcode
_STOPPED: Final = {
    InterruptReason.TIMEOUT: (ExitClass.TIMED_OUT, ErrorClass.TIMEOUT, "the step took longer than it may"),
    InterruptReason.CANCELED: (ExitClass.INTERRUPTED, ErrorClass.USER_CANCEL, "the run was canceled"),
    InterruptReason.SHUTDOWN: (
        ExitClass.INTERRUPTED,
        ErrorClass.TRANSIENT_INFRA,
        (
            "the worker was shut down before the step was done; what was made is in the state, "
            "and the run submitted again makes the rest"
        ),
    ),
    InterruptReason.WORKER_GONE: (
        ExitClass.INTERRUPTED,
        ErrorClass.TRANSIENT_INFRA,
        "the worker died before the step was done",
    ),
    InterruptReason.LEASE_LOST: (
        ExitClass.LOST_LEASE,
        ErrorClass.TRANSIENT_INFRA,
        "the step could not renew its lease, so the CLI was stopped",
    ),
}
_OUTPUTS: Final = TypeAdapter(dict[str, StepOutput])


def exit_class(phase: StepPhase, ended: CliExit, reason: InterruptReason | None) -> ExitClass:
    """Tell how the step ended from its last command, which may have been init.

    What finished has succeeded, also if somebody wanted to stop it meanwhile.
    """
    if ended.code == 0:
        return ExitClass.NO_CHANGES if phase is StepPhase.PLAN else ExitClass.SUCCEEDED
    if ended.code == _CHANGES_PLANNED and phase is StepPhase.PLAN:
        return ExitClass.SUCCEEDED
    # A CLI that has just been started dies of the interrupt itself.
    if (ended.signal is not None and not (reason and ended.signal == signal.SIGINT)) or ended.guard_lost:
        return ExitClass.KILLED
    return ExitClass.FAILED if reason is None else _STOPPED[reason][0]


def failure(how: ExitClass, ended: CliExit, reason: InterruptReason | None, said: RunTally) -> StepFailure | None:
    """Say what went wrong; None if nothing did."""
    if how in {ExitClass.SUCCEEDED, ExitClass.NO_CHANGES}:
        return None
    if reason is not None:
        _, error_class, message = _STOPPED[reason]
        if ended.killed:
            message += "; it did not stop in time and was killed"
        return StepFailure(error_class=error_class, message=message)
    if ended.signal is not None:
        return StepFailure(
            error_class=ErrorClass.TRANSIENT_INFRA,
            message=f"the CLI was ended by signal {ended.signal}, perhaps for lack of memory",
        )
    if ended.guard_lost:
        return StepFailure(
            error_class=ErrorClass.TRANSIENT_INFRA, message="the CLI's guard was killed, so the CLI was stopped"
        )
    if ended.refusal is not None:
        return StepFailure(error_class=ErrorClass.UNKNOWN, message=f"the CLI does not start: {ended.refusal}")
    error_class, message, address = classify(said.errors, said.last_text)
    return StepFailure(error_class=error_class, message=message, address=address)


def failure_of(error: Exception) -> StepFailure:
    """Say why a step could not even begin, without anything that the error was about."""
    if isinstance(error, PlatformError):
        transient = error.kind is ErrorKind.UNAVAILABLE
        error_class = ErrorClass.TRANSIENT_INFRA if transient else ErrorClass.CONFIG
        facts = "".join(f" ({name}: {value})" for name, value in error.facts.items())
        return StepFailure(error_class=error_class, message=error.detail + facts)
    if isinstance(error, Refused):
        return StepFailure(error_class=ErrorClass.UNKNOWN, message=str(error))
    if isinstance(error, TooLarge):
        return StepFailure(error_class=ErrorClass.CONFIG, message=f"{error.filename}: {error.strerror}")
    if isinstance(error, OSError) and error.errno == errno.E2BIG:
        return StepFailure(error_class=ErrorClass.CONFIG, message="a secret input is too long for an environment")
    if isinstance(error, OSError):
        return StepFailure(
            error_class=ErrorClass.TRANSIENT_INFRA, message=f"the worker could not do it: {error.strerror}"
        )
    return StepFailure(error_class=ErrorClass.UNKNOWN, message=f"the runner failed: {type(error).__name__}")


def outputs_of(said: bytes) -> dict[str, StepOutput] | None:
    """Read outputs from what `output -json` says; None if that is no answer."""
    try:
        return _OUTPUTS.validate_python(_whole(said))
    except (ValueError, RecursionError):
        return None


def outputs_in(state: Path) -> dict[str, StepOutput] | None:
    """Read outputs from a state file; None if there is none, or it is not to be read (tofu can encrypt it)."""
    try:
        found = _whole(read_regular(state.parent, state.name))["outputs"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    try:
        return _OUTPUTS.validate_python({name: {"sensitive": False} | about for name, about in found.items()})
    except (AttributeError, TypeError, ValidationError):
        return None


def secrets_of_log(tokens: Iterable[str], secret_inputs: Inputs, state_before: Path) -> list[str]:
    """Tell what no log of a step may show.

    Args:
        tokens: the keys that the CLI was given.
        secret_inputs: by name.
        state_before: as it was when the step began; its sensitive outputs are secrets.
    """
    known = outputs_in(state_before) or {}
    return [
        *tokens,
        *secret_texts(dict(secret_inputs)),
        *secret_texts([output.value for output in known.values() if output.sensitive]),
    ]


def _whole(said: bytes) -> Any:  # noqa: ANN401  any JSON
    """Read JSON into what can be written again.

    U+FFFD is put for each half of a surrogate pair that escapes have made: it is no text by itself. A whole number
    that is longer than Python reads or writes is kept as text.
    """
    value = json.loads(said, parse_int=lambda digits: int(digits) if len(digits) <= _LONGEST_INTEGER else digits)
    text = json.dumps(value, ensure_ascii=False).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return json.loads(text)


def lost_state(result: StepResult, problem: BaseException) -> StepResult:
    """Say of a step that its newest state could not be stored, which a person has to see to first of all."""
    match problem:
        case OSError():
            why = problem.strerror
        case Refused():
            why = str(problem)
        case NotKept():
            why = "the database did not answer in time"
        case _:
            why = type(problem).__name__
    message = (
        f"the newest state could not be stored; it is in the step's folder, on its worker, until it is: {why}"
    )
    return result.model_copy(
        update={
            "exit_class": ExitClass.LOST_LEASE,
            "failure": StepFailure(error_class=ErrorClass.UNKNOWN, message=message),
        }
    )


def bare(result: StepResult, reason: str) -> StepResult:
    """Give a result that can be stored in any case, for one that can't be: how it ended, and why no more is told.

    Without its plan a plan phase has failed; an apply without its outputs has not.
    """
    error_class = ErrorClass.UNKNOWN if result.failure is None else result.failure.error_class
    lost_plan = result.plan is not None
    return result.model_copy(
        update={
            "exit_class": ExitClass.FAILED if lost_plan else result.exit_class,
            "failure": StepFailure(error_class=error_class, message=reason),
            "outputs": {},
            "plan": None,
            "in_flight": (),
        }
    )


def saved_plan(folder: StepFolder, text: str | None) -> SavedPlan:
    """Describe the plan that the CLI has saved.

    Raises:
        OSError: it isn't there, or something else is in its place.
    """
    content = read_regular(folder.root, folder.plan.name)
    return SavedPlan(
        path=folder.plan,
        sha256=hashlib.sha256(content).hexdigest(),
        size=len(content),
        lock_file=None if left_behind(folder, folder.lock_file) is None else folder.lock_file,
        text=text,
    )


def left_behind(folder: StepFolder, file: Path) -> bytes | None:
    """Read a file that the CLI left; None if it left none, or something else is in its place.

    Raises:
        OSError: it is there, and can't be read.
    """
    try:
        return read_regular(folder.root, str(file.relative_to(folder.root)))
    except (FileNotFoundError, Replaced):
        return None
