"""The worker of the transfer queue: what reads or moves large files."""

from datetime import timedelta
from typing import Final

from temporalio.client import Client
from temporalio.worker import Worker

from activities.registry.documents import DocumentActivities
from activities.registry.verifications import VerificationActivities
from domain.long_work import TRANSFER_QUEUE
from services.all import Services
from workflows.registry.ingest_module import IngestModule
from workflows.registry.verify_provider import VerifyProvider

WORKFLOWS: Final = (IngestModule, VerifyProvider)
AT_ONCE: Final = 2
"""Files that a worker reads at once: each takes a processor for a moment."""


def build_transfer_worker(client: Client, services: Services) -> Worker:
    """Make the worker; the caller runs it and shuts it down."""
    documents = DocumentActivities(services.registry.documents)
    verifications = VerificationActivities(services.registry.verifications)
    return Worker(
        client,
        task_queue=TRANSFER_QUEUE,
        workflows=WORKFLOWS,
        activities=[documents.read, verifications.verify],
        max_concurrent_activities=AT_ONCE,
        graceful_shutdown_timeout=timedelta(seconds=10),
    )
