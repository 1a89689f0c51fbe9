"""The workflow that a Temporal Schedule starts every half minute."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.control import TickActivities
    from workflows import options


@workflow.defn(name="control.tick")
class Tick:
    """Looks after what no workflow may be looking after: rows past their time, partitions, signs of life."""

    @workflow.run
    async def run(self) -> None:
        """Let each area wake what is overdue."""
        await workflow.execute_activity_method(TickActivities.wake_overdue_runs, **options.DATABASE_STEP)
        await workflow.execute_activity_method(TickActivities.make_audit_partitions, **options.DATABASE_STEP)
