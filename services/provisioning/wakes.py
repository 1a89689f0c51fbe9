"""The wake of a run's workflow."""

from domain.long_work import CONTROL_QUEUE, Priority, Wake
from domain.provisioning.messages import RunReference
from storage.provisioning.tables import RunRow


def wake_of(run: RunRow, priority: Priority = Priority.PLAN) -> Wake:
    """Make the wake; operators see what it says, so it holds no name of anybody."""
    return Wake(
        workflow="provisioning.run",
        workflow_id=f"run:{run.id}",
        task_queue=CONTROL_QUEUE,
        input=RunReference(organization_id=run.organization_id, run_id=run.id),
        area="provisioning",
        resource_id=str(run.id),
        summary=f"{run.operation} in {run.environment}",
        priority=priority,
        attributes={"RunState": run.state, "Environment": run.environment},
    )
