"""The worker of the control queue: short steps that decide and record. Its parts are put together here."""

from datetime import timedelta

from temporalio.client import Client
from temporalio.worker import Worker

from activities.control import TickActivities
from activities.provisioning.runs import RunActivities
from domain.long_work import CONTROL_QUEUE
from services.all import Services
from workflows.control.tick import Tick
from workflows.provisioning.run import ProvisionRun

WORKFLOWS = [ProvisionRun, Tick]


def build_control_worker(client: Client, services: Services) -> Worker:
    """Make the worker; the caller runs it and shuts it down."""
    runs = RunActivities(services.provisioning.moves)
    tick = TickActivities(services.areas, services.upkeep)
    return Worker(
        client,
        task_queue=CONTROL_QUEUE,
        workflows=WORKFLOWS,
        activities=[runs.advance, tick.list_areas, tick.look_after],
        # A worker that was killed is noticed by this: its workflows wait for it so long before another gets them.
        sticky_queue_schedule_to_start_timeout=timedelta(seconds=3),
        graceful_shutdown_timeout=timedelta(seconds=10),
    )
