"""The workflow of a run."""

from datetime import timedelta

from temporalio import workflow
from temporalio.common import Priority
from temporalio.workflow import ActivityHandle

with workflow.unsafe.imports_passed_through():
    from activities.provisioning.runs import RunActivities
    from activities.provisioning.steps import StepActivities
    from domain.long_work import TERRAFORM_QUEUE
    from domain.provisioning.messages import RUN_WORKFLOW, RunMove, RunReference, StepOrder, StepReport
    from domain.provisioning.run_states import RunState
    from workflows import options
    from workflows.search_attributes import RUN_STATE


@workflow.defn(name=RUN_WORKFLOW)
class ProvisionRun:
    """Asks what is to be done for a run, has it done, and asks again, until the run has ended.

    It holds no state of the run: everything that was decided stands in PostgreSQL, and asking once more is
    harmless. So it may be woken, lost or started anew at any time. While a run waits, for its deployment or for
    a person, no worker is taken up.
    """

    def __init__(self) -> None:
        """Begin without news."""
        self._news = False
        self._shown: RunState | None = None
        self._order: StepOrder | None = None
        self._step: ActivityHandle[StepReport] | None = None

    @workflow.signal
    def wake(self) -> None:
        """Look again now."""
        self._news = True

    @workflow.run
    async def run(self, reference: RunReference) -> None:
        """Return when the run has ended."""
        move = await self._ask(reference)
        while True:
            self._show(move)
            if move.ended:
                return
            wait = self._act(move)
            if self._step is None and workflow.info().is_continue_as_new_suggested():
                workflow.continue_as_new(reference)
            move = await self._wait(wait) or await self._ask(reference)

    async def _ask(self, reference: RunReference) -> RunMove:
        self._news = False  # before asking: what comes while asking is asked about again
        return await workflow.execute_activity_method(RunActivities.advance, reference, **options.DATABASE_STEP)

    def _act(self, move: RunMove) -> timedelta:
        """Order the step that is due, or tell the one that runs to stop; say how long to wait for news then."""
        if move.interrupt and self._step is not None:
            self._step.cancel()
        if move.step is None:
            return move.wait
        if move.step == self._order:
            # Ordered before: it waits for a free worker, or its activity ended and nothing was admitted.
            if self._step is not None:
                return move.wait
            self._order = None
            return options.AGAIN
        self._order = move.step
        self._step = workflow.start_activity_method(
            StepActivities.run_step,
            move.step,
            task_queue=TERRAFORM_QUEUE,
            priority=Priority(priority_key=int(move.step.priority), fairness_key=str(move.step.organization_id)),
            summary=f"{move.step.phase}, attempt {move.step.attempt}",
            **options.CLI_STEP,
        )
        return move.wait

    async def _wait(self, wait: timedelta) -> RunMove | None:
        """Return when there is news, the running step has ended, or the time is over.

        A step that ended brings with it what is next; None where that has to be asked.
        """
        step = self._step
        try:
            await workflow.wait_condition(
                lambda: self._news or (step is not None and step.done()), timeout=wait, timeout_summary="for news"
            )
        except TimeoutError:
            return None
        if step is None or not step.done():
            return None
        self._step = None
        # However an activity failed: the row says what became of the step.
        failed = step.cancelled() or step.exception() is not None
        return None if failed or self._news else step.result().move

    def _show(self, move: RunMove) -> None:
        """Tell operators where the run is."""
        if move.state is not self._shown:
            self._shown = move.state
            workflow.upsert_search_attributes([RUN_STATE.value_set(move.state.value)])
            workflow.set_current_details(f"The run is **{move.state.value}**, in {move.environment}.")
