"""Holds a step's lease: renews it, and says when the step has to stop."""

import asyncio
from collections.abc import Callable

import structlog

from domain.outages import Outage
from domain.provisioning.steps import InterruptReason, StepJob
from workers.runner.guarded import boot_time
from workers.runner.keeping import is_outage, wait_within
from workers.runner.recorder import LeaseLost, StepRecorder

log = structlog.get_logger(__name__)


class Lease:
    """The lease as the runner knows it: until when the CLI may run without another word from the database."""

    def __init__(self, job: StepJob, recorder: StepRecorder) -> None:
        """Begin with what the admission gave."""
        self._step_id = str(job.step_id)
        self._recorder = recorder
        self._every = job.limits.renewal.total_seconds()
        self._lasts = job.limits.deadline.total_seconds()
        self._outage = Outage(log, "PostgreSQL, for the lease")
        self.deadline = job.lease_started + self._lasts

    async def hold(
        self,
        done: asyncio.Event,
        on_deadline: Callable[[float], None],
        on_stop: Callable[[InterruptReason], None],
    ) -> None:
        """Renew until the step is done or the lease is lost; after a stop too, since storing takes a lease."""
        while not await wait_within(done, self._every):
            sent = boot_time()  # the database counts from later on, so this deadline is the earlier one
            try:
                renewal = await self._recorder.renew()
            except LeaseLost:
                on_stop(InterruptReason.LEASE_LOST)
                return
            except Exception as error:
                if is_outage(error):
                    self._outage.began(error)
                else:
                    log.warning("lease_not_renewed", step_id=self._step_id, error=type(error).__name__)
                if boot_time() >= self.deadline:
                    on_stop(InterruptReason.LEASE_LOST)
                continue
            self._outage.ended()
            self.deadline = sent + self._lasts
            on_deadline(self.deadline)
            if renewal.cancel_requested:
                on_stop(InterruptReason.CANCELED)
