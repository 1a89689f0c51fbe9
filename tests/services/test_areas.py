"""Organizations one by one: what fails in one is its own, and there is an end to it."""

from collections import Counter
from uuid import UUID

import pytest
import structlog

from domain.errors import Unavailable
from domain.ids import new_id
from services import areas
from services.areas import each_organization


class TestEachOrganization:
    async def test_adds_up_what_was_done(self) -> None:
        async def look_after(_: UUID) -> Counter[str]:
            return Counter(woken=2)

        report = await each_organization("area", [new_id(), new_id()], look_after)
        assert (report.done, report.failed, report.left) == ({"woken": 4}, 0, 0)

    async def test_what_fails_is_named_by_its_code_and_its_organization(self) -> None:
        bad, good = new_id(), new_id()

        async def look_after(organization_id: UUID) -> Counter[str]:
            if organization_id == bad:
                raise Unavailable("the database does not answer")
            return Counter(woken=1)

        with structlog.testing.capture_logs() as lines:
            report = await each_organization("area", [bad, good], look_after)
        assert (report.done, report.failed) == ({"woken": 1}, 1)
        [line] = lines
        assert (line["organization_id"], line["error"]) == (str(bad), "platform.unavailable")

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

    async def test_goes_on_when_some_have_to_wait_for_a_server_and_others_do_not(self) -> None:
        bad = [new_id() for _ in range(4)]
        mixed = [organization_id for each in bad for organization_id in (each, new_id())]

        async def look_after(organization_id: UUID) -> Counter[str]:
            if organization_id in bad:
                raise Unavailable("somebody holds a lock")
            return Counter(woken=1)

        report = await each_organization("area", mixed, look_after)
        assert (report.done, report.failed) == ({"woken": 4}, 4)
