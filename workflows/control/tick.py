"""The workflow that a Temporal Schedule starts every half minute."""

import asyncio

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.control import TickActivities
    from domain.long_work import AreaName
    from workflows import options


@workflow.defn(name="control.tick")
class Tick:
    """Has every area looked after: rows past their time, whatever became of their workflows, and the upkeep.

    An area that does not succeed delays no other. The workflow then fails, so that operators see it among the
    failed ones, and the next tick tries again.
    """

    @workflow.run
    async def run(self) -> None:
        """Return when all areas have been looked after, or given up until the next tick."""
        listed = await workflow.execute_activity_method(TickActivities.list_areas, **options.LOOK_AFTER)
        outcomes = await asyncio.gather(
            *(
                workflow.execute_activity_method(
                    TickActivities.look_after, AreaName(area=area), summary=area, **options.LOOK_AFTER
                )
                for area in listed.areas
            ),
            return_exceptions=True,
        )
        failed = [
            area
            for area, outcome in zip(listed.areas, outcomes, strict=True)
            if isinstance(outcome, BaseException)
        ]
        if failed:
            raise ApplicationError(f"not looked after: {', '.join(failed)}", type="control.area_failed")
