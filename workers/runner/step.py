"""One step from job to outcome: lay out, init, plan or apply, keep, record, clean."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import structlog

from domain.provisioning.events import RunTally
from domain.provisioning.steps import (
    PROGRESS_EVERY,
    ExitClass,
    InterruptReason,
    StepFailure,
    StepJob,
    StepOutcome,
    StepPhase,
    StepProgress,
    StepResult,
    StepStage,
)
from domain.redaction import Redactor
from integrations.archives.members import ArchiveLimits
from integrations.engines.engine import Engine, StepFolder
from workers.runner import outcomes, variables, workspace
from workers.runner.files import TooLarge, read_regular
from workers.runner.guarded import CliExit, GuardedCli, boot_time
from workers.runner.keeping import Keeping, NotKept, Refused, wait_within
from workers.runner.lease import Lease
from workers.runner.recorder import LeaseLost, StepRecorder
from workers.runner.sandbox import sandbox_arguments
from workers.runner.tailer import LogTail, StateTail

_NEVER_STARTED: Final = CliExit(None, interrupted=True)
_LONGEST_PLAN_TEXT: Final = 4 * 1024 * 1024
log = structlog.get_logger(__name__)


class Step:
    """Does one job. Whatever happens, what was made is kept or still in the folder, and `run` says how it went."""

    def __init__(
        self,
        job: StepJob,
        open_engine: Callable[[StepJob], Awaitable[Engine]],
        recorder: StepRecorder,
        on_progress: Callable[[StepProgress], None],
    ) -> None:
        """Take the parts; nothing is begun yet."""
        self._job = job
        self._open_engine = open_engine
        self._recorder = recorder
        self._on_progress = on_progress
        self._folder = StepFolder(job.folder)
        self._grace = job.limits.grace.total_seconds()
        self._lease = Lease(job, recorder)
        self._keeping = Keeping()
        self._said = RunTally()
        self._stage = StepStage.PREPARING
        self._reason: InterruptReason | None = None
        self._cli: GuardedCli | None = None
        self._engine: Engine | None = None
        self._claim: int | None = None
        self._is_kept = True
        self._state_lost_by: BaseException | None = None
        self._serial: int | None = None
        self._log_end = 0
        self._redactor = Redactor(())

    def interrupt(self, reason: InterruptReason) -> None:
        """Stop the CLI, or don't start it. The first reason stays."""
        if self._reason is None:
            self._reason = reason
            log.info("step_interrupted", step_id=str(self._job.step_id), reason=reason.value)
        if self._cli is not None:
            self._cli.interrupt()

    async def run(self) -> StepOutcome:
        """Do the step and record its outcome."""
        done = asyncio.Event()
        beside = asyncio.gather(self._lease.hold(done, self._move_deadline, self.interrupt), self._tell(done))
        timeout = asyncio.get_running_loop().call_later(
            self._job.limits.timeout.total_seconds(), self.interrupt, InterruptReason.TIMEOUT
        )
        try:
            result = await self._do()
            outcome, _ = await asyncio.gather(self._record(result), self._close_guard())
            return outcome
        finally:
            timeout.cancel()
            done.set()
            await beside
            if self._claim is not None:
                os.close(self._claim)

    async def _do(self) -> StepResult:
        try:
            self._engine = engine = await self._open_engine(self._job)
            self._claim = workspace.make_folder(self._job)
            return await self._supervise(engine, await self._prepare(engine))
        except (LeaseLost, NotKept):
            self.interrupt(InterruptReason.LEASE_LOST)
            return self._ended(_NEVER_STARTED)
        except Exception as error:
            log.exception("step_failed", step_id=str(self._job.step_id))
            await self._close_guard()  # nothing may run any more when the outcome is recorded
            return self._result(ExitClass.FAILED, _NEVER_STARTED, outcomes.failure_of(error))

    async def _prepare(self, engine: Engine) -> GuardedCli:
        """Start the guard, fill the folder and commit that the CLI is about to start, all at once.

        Raises:
            LeaseLost: it may not start.
            NotKept: the database did not answer before the lease's deadline.
        """
        starting = Keeping()
        starting.end_in(self._lease.deadline - boot_time())
        committed, laid_out, cli = await asyncio.gather(
            starting.keep("start", self._recorder.cli_started),
            asyncio.to_thread(workspace.lay_out, self._job, self._folder, ArchiveLimits()),
            self._start_guard(engine),
            return_exceptions=True,
        )
        if isinstance(cli, GuardedCli):
            self._cli = cli
            cli.renew(self._lease.deadline)  # it may have moved while the guard started
        for result in (committed, laid_out):
            if isinstance(result, BaseException):
                raise result
        if isinstance(cli, BaseException):
            raise cli
        return cli

    async def _start_guard(self, engine: Engine) -> GuardedCli:
        environment = engine.environment(
            self._folder,
            self._job.secret_inputs,
            ca_certificate=self._job.ca_certificate,
        )
        return await GuardedCli.start(
            self._folder,
            environment,
            deadline=self._lease.deadline,
            grace=self._grace,
            sandbox=sandbox_arguments(self._job.sandbox),
        )

    def _move_deadline(self, deadline: float) -> None:
        if self._cli is not None:
            self._cli.renew(deadline)

    async def _close_guard(self) -> None:
        if self._cli is not None:
            await self._cli.close()

    async def _supervise(self, engine: Engine, cli: GuardedCli) -> StepResult:
        """Run the commands while their log and state are followed; then collect what they made."""
        secrets = outcomes.secrets_of_log(self._job.secrets, self._job.secret_inputs, self._folder.state)
        self._redactor = await asyncio.to_thread(Redactor, secrets)
        tail = LogTail(
            self._folder.log,
            self._redactor,
            self._keep_log,
            lambda line: self._said.add(engine.parse(line)),
        )
        state = StateTail(self._folder.state, self._keep_state)
        ended = asyncio.Event()
        following = asyncio.gather(tail.follow(ended), state.follow(ended), return_exceptions=True)
        try:
            last = await self._run_commands(engine, cli)
        finally:
            # From here on what isn't kept is given up after the grace, and left in the folder.
            self._keeping.end_in(self._grace)
            ended.set()
            log_problem, state_problem = await following
            for problem in (log_problem, state_problem):
                if problem is not None:
                    log.error("step_not_followed", step_id=str(self._job.step_id), exc_info=problem)
                    self._is_kept = False
            self._state_lost_by = state_problem or self._state_lost_by
            self._serial, self._log_end = state.serial, tail.end
        self._stage = StepStage.STORING
        await self._keep_errored_state()
        return await self._collect(self._ended(last), engine, cli)

    async def _run_commands(self, engine: Engine, cli: GuardedCli) -> CliExit:
        """Run init, and the phase's own command if that went well."""
        ended = _NEVER_STARTED
        if self._job.phase is StepPhase.APPLY:
            commands = (
                (StepStage.INITIALIZING, engine.init(self._folder, apply=True)),
                (StepStage.APPLYING, engine.apply(self._folder)),
            )
        else:
            commands = (
                (StepStage.INITIALIZING, engine.init(self._folder, apply=False)),
                (StepStage.PLANNING, engine.plan(self._folder, self._job.operation)),
            )
        for stage, command in commands:
            if self._reason is not None:
                return _NEVER_STARTED
            self._stage = stage
            ended = await cli.run(command, self._folder.log)
            if ended.interrupted and not ended.guard_lost and self._reason is None:
                self.interrupt(InterruptReason.LEASE_LOST)  # the guard's own doing: its deadline had passed
            if ended.code != 0:
                break
        return ended

    async def _collect(self, result: StepResult, engine: Engine, cli: GuardedCli) -> StepResult:
        """Add to a success what it made: the plan, or the outputs."""
        if self._job.phase is StepPhase.PLAN and result.reason is None:
            unusable = variables.unusable_inputs(
                self._said,
                self._job.inputs,
                variables.declared_variables(self._folder),
                refuse_undeclared=self._job.refuse_undeclared,
            )
            if unusable is not None:
                return result.model_copy(update={"exit_class": ExitClass.FAILED, "failure": unusable})
        if result.failure is not None:
            return result
        if self._job.phase is StepPhase.APPLY:
            outputs = outcomes.outputs_in(self._folder.state)
            if outputs is None:  # encrypted, or there never was a state
                outputs = outcomes.outputs_of(await self._ask(cli, engine.outputs(self._folder)))
            return result.model_copy(update={"outputs": outputs or {}})
        if self._job.refuse_undeclared and variables.may_be_exposed(self._folder, self._job.inputs):
            said = await self._ask(cli, engine.describe_plan(self._folder))
            if exposed := await asyncio.to_thread(variables.exposed_inputs, said, self._job.inputs):
                refused = {"exit_class": ExitClass.FAILED, "failure": variables.exposure(exposed)}
                return result.model_copy(update={**refused, "exposed_inputs": exposed})
        text = None
        if self._job.show_plan:
            said = await self._ask(cli, engine.show_plan(self._folder))
            shown = said[:_LONGEST_PLAN_TEXT].decode(errors="replace")
            text = await asyncio.to_thread(self._redactor.redact, shown)
        return result.model_copy(update={"plan": outcomes.saved_plan(self._folder, text)})

    async def _ask(self, cli: GuardedCli, command: Sequence[str]) -> bytes:
        """Run a command for its answer; empty if it has none, or a too long one."""
        ended = await cli.run(command, self._folder.answer)
        try:
            return read_regular(self._folder.root, self._folder.answer.name) if ended.code == 0 else b""
        except TooLarge:
            return b""

    async def _record(self, result: StepResult) -> StepOutcome:
        """Record the outcome; remove the folder if nothing in it is needed any more."""
        self._keeping.end_in(self._grace)
        if self._job.phase is StepPhase.APPLY and self._state_lost_by is not None:
            result = outcomes.lost_state(result, self._state_lost_by)
        try:
            try:
                await self._keep_outcome(result)
            except Refused as refusal:
                result = outcomes.bare(result, str(refusal))
                await self._keep_outcome(result)
        except (NotKept, Refused) as problem:
            log.error("outcome_not_kept", step_id=str(self._job.step_id), error=str(problem))  # noqa: TRY400  told
            self._is_kept = False
        except LeaseLost:
            log.warning("outcome_refused", step_id=str(self._job.step_id))
        if self._is_kept and self._claim is not None:  # one that was there before is another attempt's
            await self._remove_folder()
        return result.model_copy(update={"stored": self._is_kept}).outcome()

    async def _remove_folder(self) -> None:
        try:
            await asyncio.to_thread(workspace.remove_folder, self._folder)
        except OSError as error:  # who looks for leftovers tries again
            log.warning("folder_not_removed", folder=error.filename, reason=error.strerror)

    def _ended(self, ended: CliExit) -> StepResult:
        how = outcomes.exit_class(self._job.phase, ended, self._reason)
        return self._result(how, ended, outcomes.failure(how, ended, self._reason, self._said))

    def _result(self, how: ExitClass, ended: CliExit, failure: StepFailure | None) -> StepResult:
        return StepResult(
            step_id=self._job.step_id,
            exit_class=how,
            exit_code=ended.code,
            reason=self._reason,
            changes=self._said.summary,
            failure=failure,
            last_serial=self._serial,
            log_end=self._log_end,
            in_flight=self._said.in_flight,
            engine_version=None if self._engine is None else self._engine.version,
        )

    async def _keep_outcome(self, result: StepResult) -> None:
        final = result.model_copy(update={"stored": self._is_kept})
        await self._keeping.keep("outcome", lambda: self._recorder.record_outcome(final))

    async def _keep_log(self, offset: int, data: bytes) -> None:
        if not self._is_kept:
            return  # a log with a gap is no log; the folder has all of it
        try:
            await self._keeping.keep("log", lambda: self._recorder.store_log(offset, data))
        except (NotKept, Refused):
            self._is_kept = False

    async def _keep_state(self, content: bytes) -> None:
        try:
            await self._keeping.keep("state", lambda: self._recorder.store_state(content))
            self._state_lost_by = None  # this one says all that one before it did
        except (NotKept, Refused) as problem:
            self._lose_state(problem)

    def _lose_state(self, problem: Exception) -> None:
        self._is_kept, self._state_lost_by = False, problem

    async def _keep_errored_state(self) -> None:
        """Keep the state that the CLI could not write where it belongs, as it does on a full disk."""
        try:
            errored = outcomes.left_behind(self._folder, self._folder.errored_state)
        except OSError as problem:
            self._lose_state(problem)
            return
        if errored is not None:
            await self._keep_state(errored)

    async def _tell(self, done: asyncio.Event) -> None:
        """Pass on how far the step is, when that has changed."""
        told: StepProgress | None = None
        while not await wait_within(done, PROGRESS_EVERY.total_seconds()):
            progress = StepProgress(
                stage=self._stage,
                done=self._said.done,
                total=self._said.total,
                message=self._said.last_message,
            )
            if progress != told:
                self._on_progress(progress)
                told = progress
