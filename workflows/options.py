"""How long steps may take. Every call of an activity names one of these; no timeout is written elsewhere."""

from datetime import timedelta
from typing import Final, TypedDict

from temporalio.common import RetryPolicy
from temporalio.workflow import ActivityCancellationType


class StepOptions(TypedDict):
    """Keyword arguments of workflow.execute_activity_method."""

    start_to_close_timeout: timedelta
    retry_policy: RetryPolicy


class BoundedStepOptions(StepOptions):
    """Those of a step that is given up, retries and waiting included, after some time."""

    schedule_to_close_timeout: timedelta


class WatchedStepOptions(StepOptions):
    """Those of a step that may be done anew, and is heard of while it works."""

    heartbeat_timeout: timedelta


class LongStepOptions(StepOptions):
    """Those of a step that is heard of while it works, and that ends in its own way when it is canceled."""

    heartbeat_timeout: timedelta
    cancellation_type: ActivityCancellationType


DATABASE_STEP: Final = StepOptions(
    start_to_close_timeout=timedelta(seconds=10),
    # As long as it takes: an outage delays a workflow and never fails it. What can't succeed says so.
    retry_policy=RetryPolicy(initial_interval=timedelta(milliseconds=200), maximum_interval=timedelta(seconds=10)),
)

FILE_STEP: Final = StepOptions(
    start_to_close_timeout=timedelta(minutes=10),
    # Also while a store is away, or no worker has the tool; then each file is fetched anew, for all that wait.
    retry_policy=RetryPolicy(initial_interval=timedelta(milliseconds=500), maximum_interval=timedelta(minutes=10)),
)

REREAD_STEP: Final = WatchedStepOptions(
    # Every byte of a release from a slow store. A worker that is lost meanwhile is noticed sooner.
    start_to_close_timeout=timedelta(hours=6),
    heartbeat_timeout=timedelta(seconds=60),
    retry_policy=RetryPolicy(initial_interval=timedelta(seconds=1), maximum_interval=timedelta(minutes=1)),
)

LOOK_AFTER: Final = BoundedStepOptions(
    start_to_close_timeout=timedelta(seconds=22),
    # Retries end before the next tick begins, which tries again: no area keeps the others waiting.
    schedule_to_close_timeout=timedelta(seconds=25),
    retry_policy=RetryPolicy(initial_interval=timedelta(seconds=1), maximum_interval=timedelta(seconds=10)),
)

CLI_STEP: Final = LongStepOptions(
    # The runner keeps the time of the CLI; this is only so that Temporal does not keep it too.
    start_to_close_timeout=timedelta(days=7),
    # One attempt: that Temporal has not heard of it proves nothing, the step's row says what became of it.
    retry_policy=RetryPolicy(maximum_attempts=1),
    heartbeat_timeout=timedelta(seconds=30),
    cancellation_type=ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
)

HEARTBEAT_THROTTLE: Final = timedelta(milliseconds=500)
"""How often at most a worker passes heartbeats on: a cancellation arrives with the answer to one."""

AGAIN: Final = timedelta(seconds=5)
"""Before a step is ordered once more whose activity ended and left nothing in the row."""
