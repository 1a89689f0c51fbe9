"""The tick: all areas at the same time, none at the expense of another, and its time is noted."""

import asyncio
from collections.abc import Awaitable, Callable
from uuid import UUID

import pytest
from temporalio.client import Client, WorkflowFailureError
from temporalio.exceptions import ApplicationError
from temporalio.worker import Worker

from activities.control import TickActivities
from domain.errors import ErrorKind, PlatformError
from domain.ids import new_id
from domain.long_work import TICK_EVERY, AreaName, TickReport
from services.all import Services
from workflows import options
from workflows.control.tick import Tick

LONGEST = 30


class Broken(PlatformError):
    """Never succeeds, however often it is tried."""

    kind = ErrorKind.CONFLICT
    code = "test.broken"


class PlayedArea:
    """An area that does what a test says."""

    hears_news = False

    def __init__(self, play: Callable[[], Awaitable[TickReport]]) -> None:
        self._play = play

    async def is_unfinished(self, organization_id: UUID, resource_id: str) -> bool:  # noqa: ARG002  not asked
        return False

    async def look_after(self) -> TickReport:
        return await self._play()


async def in_vain() -> TickReport:
    return TickReport(failed=2, left=1)


async def broken() -> TickReport:
    raise Broken("nothing helps")


class TestRun:
    @pytest.mark.servers
    async def test_an_area_that_fails_holds_up_no_other_and_is_named(
        self, temporal_client: Client, services: Services
    ) -> None:
        fast_was_there = asyncio.Event()

        async def fast() -> TickReport:
            fast_was_there.set()
            return TickReport(succeeded=1, failed=3)

        async def slow() -> TickReport:
            await fast_was_there.wait()  # they are looked after at the same time, whatever their order
            return TickReport(done={"woken": 1})

        played = {"a-slow": PlayedArea(slow), "b-broken": PlayedArea(broken), "c-fast": PlayedArea(fast)}
        tick = TickActivities(played, services.upkeep)
        queue = f"tick-{new_id()}"
        async with (
            asyncio.timeout(LONGEST),
            Worker(
                temporal_client,
                task_queue=queue,
                workflows=[Tick],
                activities=[tick.list_areas, tick.look_after],
            ),
        ):
            with pytest.raises(WorkflowFailureError) as failure:
                await temporal_client.execute_workflow(Tick.run, id=queue, task_queue=queue)
        cause = failure.value.cause
        assert isinstance(cause, ApplicationError)
        assert (cause.type, cause.message) == ("control.area_failed", "not looked after: b-broken")
        noted = {last.area: last for last in (await services.operations.measure()).ticks}
        assert {area: last.failed for area, last in noted.items()} == {"a-slow": 0, "b-broken": 0, "c-fast": 3}

    def test_tries_again_no_longer_than_until_the_next_tick(self) -> None:
        assert options.LOOK_AFTER["schedule_to_close_timeout"] < TICK_EVERY


class TestAnAreaThatThisWorkerDoesNotKnow:
    @pytest.mark.servers
    async def test_is_left_to_another_worker(self, services: Services) -> None:
        tick = TickActivities({}, services.upkeep)
        with pytest.raises(ApplicationError) as refusal:
            await tick.look_after(AreaName(area="of a later release"))
        assert (refusal.value.type, refusal.value.non_retryable) == ("control.area_unknown", False)


class TestAnAreaThatFailsInEachOrganization:
    @pytest.mark.servers
    async def test_fails_the_tick_and_is_noted(self, services: Services) -> None:
        tick = TickActivities({"one": PlayedArea(in_vain)}, services.upkeep)
        await tick.list_areas()
        with pytest.raises(ApplicationError) as failure:
            await tick.look_after(AreaName(area="one"))
        assert (failure.value.type, failure.value.non_retryable) == ("control.area_failed", True)
        [noted] = (await services.operations.measure()).ticks
        assert (noted.area, noted.failed, noted.left) == ("one", 2, 1)
