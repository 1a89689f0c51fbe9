"""Organizations one by one: what fails in one is its own, and there is an end to it."""

import asyncio
from collections import Counter
from uuid import UUID

import pytest
import structlog

from domain.errors import Busy, Unavailable
from domain.ids import new_id
from services import areas
from services.areas import each_organization
from workflows.options import LOOK_AFTER


class TestEachOrganization:
    async def test_adds_up_what_was_done(self) -> None:
        async def look_after(_: UUID) -> Counter[str]:
            return Counter(woken=2)

        report = await each_organization("area", [new_id(), new_id()], look_after)
        assert (report.done, report.succeeded, report.failed, report.left) == ({"woken": 4}, 2, 0, 0)

    async def test_what_fails_is_named_by_its_code_and_its_organization(self) -> None:
        bad, good = new_id(), new_id()

        async def look_after(organization_id: UUID) -> Counter[str]:
            if organization_id == bad:
                raise Unavailable("the database does not answer", reason="said by the server")
            return Counter(woken=1)

        with structlog.testing.capture_logs() as lines:
            report = await each_organization("area", [bad, good], look_after)
        assert (report.done, report.failed) == ({"woken": 1}, 1)
        [line] = lines
        assert (line["organization_id"], line["error"]) == (str(bad), "platform.unavailable")
        assert line["reason"] == "said by the server"

    async def test_begins_with_no_further_one_when_the_time_is_over(self, monkeypatch: pytest.MonkeyPatch) -> None:
        began: list[UUID] = []

        async def look_after(organization_id: UUID) -> Counter[str]:
            began.append(organization_id)
            monkeypatch.setattr(areas, "LONGEST", -1)
            return Counter()

        organizations = [new_id() for _ in range(3)]
        report = await each_organization("area", organizations, look_after)
        assert began == organizations[:1]
        assert report.left == 2

    async def test_gives_up_when_a_server_is_away_for_all(self) -> None:
        began: list[UUID] = []

        async def look_after(organization_id: UUID) -> Counter[str]:
            began.append(organization_id)
            raise Unavailable("the database does not answer")

        with pytest.raises(Unavailable):
            await each_organization("area", [new_id() for _ in range(10)], look_after)
        assert len(began) == areas.MOST_UNAVAILABLE

    async def test_goes_on_when_others_hold_what_each_of_them_needs(self) -> None:
        async def look_after(_: UUID) -> Counter[str]:
            raise Busy("others hold what this needs")

        report = await each_organization("area", [new_id() for _ in range(5)], look_after)
        assert (report.succeeded, report.failed) == (0, 5)

    async def test_ends_one_that_takes_too_long(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(areas, "LONGEST_ONE", 0.01)
        slow, quick = new_id(), new_id()

        async def look_after(organization_id: UUID) -> Counter[str]:
            if organization_id == slow:
                await asyncio.Event().wait()
            return Counter(woken=1)

        with structlog.testing.capture_logs() as lines:
            report = await each_organization("area", [slow, quick], look_after)
        assert (report.done, report.succeeded, report.failed) == ({"woken": 1}, 1, 1)
        assert [(line["organization_id"], line["error"]) for line in lines] == [(str(slow), "TimeoutError")]

    def test_ends_before_the_tick_gives_up(self) -> None:
        assert LOOK_AFTER["start_to_close_timeout"].total_seconds() > areas.LONGEST + areas.LONGEST_ONE

    async def test_goes_on_when_some_have_to_wait_for_a_server_and_others_do_not(self) -> None:
        bad = [new_id() for _ in range(4)]
        mixed = [organization_id for each in bad for organization_id in (each, new_id())]

        async def look_after(organization_id: UUID) -> Counter[str]:
            if organization_id in bad:
                raise Unavailable("somebody holds a lock")
            return Counter(woken=1)

        report = await each_organization("area", mixed, look_after)
        assert (report.done, report.failed) == ({"woken": 4}, 4)
