"""Metrics."""

import asyncio
import re
from collections import Counter

import httpx2
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from api.operations import metrics
from api.operations.metrics import REQUESTS, count_of, exposition
from domain.ids import new_id
from domain.long_work import TickReport
from domain.provisioning.run_states import RunState
from services.all import Services
from storage.database import Database
from tests.factories.modules import publish_module
from tests.factories.organizations import Caller
from tests.factories.runs import Driver
from tests.fixtures.platform import end_other_runs

pytestmark = pytest.mark.servers


@pytest.fixture(autouse=True)
def look_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.operations.REMEMBERED", 0)


def counted_by(counts: list[tuple[str, RunState, int]]) -> Counter[tuple[str, RunState]]:
    return Counter({(tier, state): count for tier, state, count in counts})


class TestMetrics:
    async def test_count_requests_by_route_and_runs_by_tier_and_state(
        self, client: httpx2.AsyncClient, services: Services, caller: Caller, operator: dict[str, str]
    ) -> None:
        module = await publish_module(services, caller, {"main.tf": ""})
        name = f"tier-{new_id().hex}"
        tier = {"name": name, "module": module.as_json()}
        await client.post("/api/v1/provisioning/tiers", json=tier, headers=caller.headers)
        body = {"tenant_id": str(caller.organization.id), "tenant_slug": "a", "poc_config": {"poc_tier": name}}
        job = (await client.post("/api/v1/provisioning/provision", json=body, headers=caller.headers)).json()
        await client.get(job["progress_tracking_url"], headers=caller.headers)
        answer = await client.get("/metrics", headers=operator)
        assert answer.headers["content-type"].startswith("text/plain")
        assert 'groundwork_releases_refused{reason="key_revoked"}' in answer.text
        assert f'groundwork_runs{{state="accepted",tier="{name}"}} 1.0' in answer.text
        assert 'route="/api/v1/provisioning/status/{job_id}"' in answer.text
        assert job["job_id"] not in answer.text
        for family in (
            *("database_up", "deployments_blocked", "run_queue_depth", "run_queue_age_seconds"),
            *("outbox_age_seconds", "outbox_waiting", "workers"),
        ):
            assert f"\ngroundwork_{family} " in answer.text
        for family in ("workers", "backlog", "backlog_age_seconds"):
            for queue in ("control", "terraform"):
                assert f'\ngroundwork_queue_{family}{{queue="{queue}"}} ' in answer.text
        assert '\ngroundwork_queue_slots{queue="terraform"} ' in answer.text
        again = await client.get("/api/v1/metrics", headers=operator)
        assert again.status_code == 200

    async def test_tell_of_each_area_when_it_was_looked_after_and_in_how_many_organizations_in_vain(
        self, client: httpx2.AsyncClient, services: Services, operator: dict[str, str]
    ) -> None:
        await services.upkeep.note_tick("one", TickReport(failed=3))
        answer = await client.get("/metrics", headers=operator)
        assert '\ngroundwork_tick_failed_organizations{area="one"} 3.0' in answer.text
        [age] = re.findall(r'\ngroundwork_tick_age_seconds\{area="one"\} (\S+)', answer.text)
        assert 0 <= float(age) < 60

    async def test_count_a_run_that_has_ended_for_an_hour(
        self, services: Services, caller: Caller, database: Database, owner: AsyncEngine
    ) -> None:
        await end_other_runs(owner)
        before = counted_by((await services.operations.measure()).finished)
        driver = Driver(services, caller.scope, await publish_module(services, caller, {"main.tf": ""}))
        run = await driver.submit()
        measured = [await services.operations.measure()]
        await driver.provisioning.runs.cancel(driver.scope, run.id)
        await driver.advance(run)
        measured.append(await services.operations.measure())
        async with database.transaction(caller.scope) as session:
            await session.execute(text("UPDATE run SET finished_at = now() - interval '61 minutes'"))
        measured.append(await services.operations.measure())
        assert [each.unfinished for each in measured] == [[("", RunState.ACCEPTED, 1)], [], []]
        finished = [counted_by(each.finished) - before for each in measured]
        assert finished == [{}, {("", RunState.CANCELED): 1}, {}]

    async def test_tell_other_processes_of_a_request_a_moment_later(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(metrics, "WRITE_SECONDS", 0.001)
        metrics.write_counts()  # else an earlier one's moment is waited for
        for _ in range(2):
            count_of("GET", "/a-moment-later", 200).add(0.01)
        route = {"method": "GET", "route": "/a-moment-later", "status": "200"}
        assert REQUESTS.get_sample_value("groundwork_http_requests_total", route) == 0
        await asyncio.sleep(metrics.WRITE_SECONDS)  # it ends after the count's own, which began before
        assert REQUESTS.get_sample_value("groundwork_http_requests_total", route) == 2

    async def test_count_many_times_as_the_library_counts_each(self) -> None:
        times = [20.0, 0.005, 0.0001, 0.5, 0.021, 0.005]
        metrics.SECONDS.labels("/together").observe_all(times)
        for seconds in times:
            metrics.SECONDS.labels("/by-itself").observe(seconds)
        together, by_itself = (
            {
                (each.name, each.labels.get("le")): each.value
                for family in metrics.SECONDS.collect()
                for each in family.samples
                if each.labels["route"] == route and not each.name.endswith("_created")
            }
            for route in ("/together", "/by-itself")
        )
        assert together == pytest.approx(by_itself)

    async def test_say_that_the_database_is_away(self) -> None:
        assert b"\ngroundwork_database_up 0.0" in exposition(None)

    async def test_are_for_operators_alone(self, client: httpx2.AsyncClient, caller: Caller) -> None:
        assert (await client.get("/metrics")).status_code == 401
        assert (await client.get("/metrics", headers=caller.headers)).status_code == 403
