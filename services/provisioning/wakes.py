"""The wake of a run's workflow."""

from typing import Final

from domain.long_work import CONTROL_QUEUE, Priority, Wake
from domain.provisioning.messages import RUN_WORKFLOW, RunReference
from storage.provisioning.tables import RunRow

AREA: Final = "provisioning"
"""The area that its wakes are of."""
LONGEST_SUMMARY: Final = 398
"""Servers may refuse more than 400 bytes, quotes included (limit.userMetadataSummarySize). Versions are long."""


def wake_of(run: RunRow, priority: Priority = Priority.PLAN) -> Wake:
    """Make the wake; operators see what it says, so it holds names of things, and of nobody."""
    reference = RunReference(organization_id=run.organization_id, run_id=run.id)
    return Wake(
        workflow=RUN_WORKFLOW,
        workflow_id=reference.workflow_id,
        task_queue=CONTROL_QUEUE,
        input=reference,
        area=AREA,
        resource_id=str(run.id),
        summary=_summary(run),
        priority=priority,
        attributes={"RunState": run.state, "Environment": run.environment},
    )


def _summary(run: RunRow) -> str:
    what = f"{run.operation} of {run.deployment_name} in {run.environment}"
    return f"{what}: {run.module_source} {run.module_version}"[:LONGEST_SUMMARY]
