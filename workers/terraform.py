"""The worker of the terraform queue: one slot per CLI that may run at once on this host."""

from datetime import timedelta

from temporalio.client import Client
from temporalio.worker import Worker

from activities.provisioning import Runners, StepActivities
from activities.step_jobs import StepSettings
from domain.long_work import TERRAFORM_QUEUE
from services.all import Services
from workflows.options import HEARTBEAT_THROTTLE

TO_STORE = timedelta(seconds=30)
"""What a runner may take, after its CLI has ended, to store what was made."""


def build_terraform_worker(
    client: Client, services: Services, runners: Runners, settings: StepSettings, *, slots: int
) -> Worker:
    """Make the worker; the caller runs it and shuts it down.

    On shutdown it takes nothing new, gives what runs a grace to finish, and then has every CLI interrupted; it
    waits for as long as their grace and the storing of what they made takes.
    """
    steps = StepActivities(
        services.moves, services.steps, services.materials, services.run_keys, runners=runners, settings=settings
    )
    return Worker(
        client,
        task_queue=TERRAFORM_QUEUE,
        activities=[steps.run_step],
        max_concurrent_activities=slots,
        max_heartbeat_throttle_interval=HEARTBEAT_THROTTLE,
        default_heartbeat_throttle_interval=HEARTBEAT_THROTTLE,
        # A grace to finish, a grace after the interrupt, and the storing; only then would Temporal cancel.
        graceful_shutdown_timeout=2 * settings.limits.grace + TO_STORE,
    )
