"""Side effects of the tick."""

from temporalio import activity

from activities.errors import maps_errors
from domain.provisioning.messages import TickReport
from services.operations import Operations
from services.provisioning.moves import RunMoves


class TickActivities:
    """What the tick does; one instance per worker process."""

    def __init__(self, moves: RunMoves, operations: Operations) -> None:
        """Take the use cases."""
        self._moves = moves
        self._operations = operations

    @activity.defn(name="control.wake_overdue_runs")
    @maps_errors
    async def wake_overdue_runs(self) -> TickReport:
        """See RunMoves.wake_overdue, which is harmless again."""
        return await self._moves.wake_overdue()

    @activity.defn(name="control.make_audit_partitions")
    @maps_errors
    async def make_audit_partitions(self) -> int:
        """See Operations.make_audit_partitions, which is harmless again."""
        return await self._operations.make_audit_partitions()
