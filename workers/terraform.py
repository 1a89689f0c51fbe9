"""The worker of the terraform queue: one slot per CLI that may run at once on this host."""

from datetime import timedelta

from temporalio.client import Client
from temporalio.worker import Worker

from activities.provisioning.step_jobs import StepSettings
from activities.provisioning.steps import Runners, StepActivities
from domain.long_work import TERRAFORM_QUEUE
from domain.provisioning.steps import StepLimits
from services.all import Services
from workflows.options import HEARTBEAT_THROTTLE

TO_STORE = timedelta(seconds=30)
"""What a runner may take, after its CLI has ended, to store what was made."""


def stop_time(limits: StepLimits) -> timedelta:
    """Tell how long a stop may take: the grace of what is interrupted, and the storing of what it made."""
    return limits.grace + TO_STORE


def build_terraform_worker(
    client: Client, services: Services, runners: Runners, settings: StepSettings, *, slots: int
) -> Worker:
    """Make the worker; the caller runs it and shuts it down.

    On shutdown it takes nothing new and has every CLI interrupted at once; it waits for as long as their grace
    and the storing of what they made takes.
    """
    steps = StepActivities(
        services.provisioning.moves,
        services.provisioning.steps,
        services.provisioning.materials,
        services.provisioning.run_keys,
        runners=runners,
        settings=settings,
    )
    return Worker(
        client,
        task_queue=TERRAFORM_QUEUE,
        activities=[steps.run_step],
        max_concurrent_activities=slots,
        max_heartbeat_throttle_interval=HEARTBEAT_THROTTLE,
        default_heartbeat_throttle_interval=HEARTBEAT_THROTTLE,
        # Only then would Temporal cancel the activities, which see to the interrupt by themselves.
        graceful_shutdown_timeout=stop_time(settings.limits),
    )
