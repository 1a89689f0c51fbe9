"""Side effects of the tick."""

from collections.abc import Mapping

import structlog
from temporalio import activity

from activities.errors import maps_errors
from domain.errors import AreaFailed, AreaUnknown
from domain.long_work import AreaName, AreaNames, TickReport
from services.areas import Area
from services.upkeep import Upkeep

log = structlog.get_logger(__name__)


class TickActivities:
    """What the tick does; one instance per worker process."""

    def __init__(self, areas: Mapping[str, Area], upkeep: Upkeep) -> None:
        """Take what is to be looked after, and where that is noted."""
        self._areas = areas
        self._upkeep = upkeep

    @activity.defn(name="control.list_areas")
    @maps_errors
    async def list_areas(self) -> AreaNames:
        """Say what there is to look after, and let operators see from now on when that was done last."""
        await self._upkeep.expect_ticks(sorted(self._areas))
        return AreaNames(areas=tuple(sorted(self._areas)))

    @activity.defn(name="control.look_after")
    @maps_errors
    async def look_after(self, name: AreaName) -> TickReport:
        """Look after an area, which is harmless again, and note that it was.

        Raises:
            AreaFailed: in every organization; the tick fails, and operators see it.
        """
        area = self._areas.get(name.area)
        if area is None:
            raise AreaUnknown("another worker knows this area", area=name.area)
        report = await area.look_after()
        await self._upkeep.note_tick(name.area, report)
        if report.done or report.failed or report.left:
            log.info("looked_after", area=name.area, failed=report.failed, left=report.left, **report.done)
        if report.failed and not report.succeeded:
            raise AreaFailed("no organization could be looked after", area=name.area, failed=report.failed)
        return report
