"""Runs through the real edges: HTTP in, Temporal and real runners between, real terraform and tofu at the end."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from temporalio.client import Client, WorkflowHandle

from services.all import Services
from tests.factories.modules import Published, publish_module
from tests.factories.organizations import Caller
from tests.factories.people import A_LONG_MODULE, A_MODULE, LONGEST, People

pytestmark = [pytest.mark.servers, pytest.mark.usefixtures("worker")]


@pytest.fixture
async def people(client: httpx2.AsyncClient, caller: Caller) -> People:
    return People(client, caller)


@pytest.fixture
async def module(services: Services, caller: Caller) -> Published:
    return await publish_module(services, caller, A_MODULE)


@pytest.fixture
async def long_module(services: Services, caller: Caller) -> Published:
    return await publish_module(services, caller, A_LONG_MODULE)


A_TELLING_MODULE = {
    "main.tf": """
variable "password" {
  type      = string
  sensitive = true
}
resource "terraform_data" "a" {
  lifecycle {
    precondition {
      condition     = nonsensitive(var.password) == "another"
      error_message = "the password ${nonsensitive(var.password)} is not the right one"
    }
  }
}
"""
}


def a_run(module: Published, **changes: object) -> dict[str, object]:
    return {
        "deployment": "one",
        "module": module.as_json(),
        "inputs": {"name": "anna"},
        "secret_inputs": {"password": "hunter2-canary"},
        **changes,
    }


@pytest.fixture(params=["terraform", "opentofu"])
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


class TestApply:
    async def test_plans_waits_for_approval_applies_and_shows_outputs(
        self, people: People, module: Published, engine: str, temporal_client: Client
    ) -> None:
        submitted = await people.post("/api/v1/runs", a_run(module, engine=engine, tags={"team": "a"}))
        path = f"/api/v1/runs/{submitted['id']}"
        waiting = await people.run(submitted["id"], "awaiting_approval")
        plan = await people.get(f"{path}/plan")
        assert plan["sha256"] == waiting["plan_sha256"]
        assert "terraform_data.thing will be created" in plan["text"]
        assert waiting["changes_add"] == 1

        await people.post(f"{path}/approve", {"reason": "looks good"})
        applied = await people.run(submitted["id"], "applied")
        assert applied["decision_reason"] == "looks good"
        outputs = {output["name"]: output for output in await people.get(f"{path}/outputs")}
        assert outputs["greeting"]["value"] == "hello anna"
        assert outputs["secret"] == {"name": "secret", "value": None, "type": "string", "sensitive": True}
        revealed = await people.post(f"{path}/outputs/reveal")
        assert revealed["values"] == {"secret": "for hunter2-canary"}

        log = await people.log(submitted["id"])
        assert "terraform_data.thing: Creation complete" in log
        assert "hunter2-canary" not in log
        states = await people.get(f"/api/v1/deployments/{submitted['deployment_id']}/states")
        assert states["items"][0]["run_id"] == submitted["id"]
        await self.assert_the_history_tells_no_secret(temporal_client, submitted["id"], plan["text"])

    @staticmethod
    async def assert_the_history_tells_no_secret(client: Client, run_id: str, plan: str) -> None:
        handle: WorkflowHandle[Any, Any] = client.get_workflow_handle(f"run:{run_id}")
        description = await handle.describe()
        attributes = {pair.key.name: pair.value for pair in description.typed_search_attributes}
        assert attributes["RunState"] == "applied"
        assert attributes["ResourceId"] == run_id
        assert attributes["Environment"] == "development"
        summary = await description.static_summary() or ""
        assert summary.startswith("apply of one in development: ")
        assert summary.endswith(" 1.0.0")
        history = (await handle.fetch_history()).to_json()
        assert "anna" not in history
        assert "hunter2-canary" not in history
        assert plan not in history
        assert len((await handle.fetch_history()).events) <= 80

    async def test_what_was_applied_can_be_changed_and_destroyed(
        self, people: People, module: Published, engine: str
    ) -> None:
        first = await people.post("/api/v1/runs", a_run(module, engine=engine, auto_apply=True))
        await people.run(first["id"], "applied")
        again = await people.post("/api/v1/runs", {"deployment": "one", "auto_apply": True})
        assert (await people.run(again["id"], "applied"))["changes_add"] == 0
        gone = await people.post("/api/v1/runs", {"deployment": "one", "operation": "destroy", "auto_apply": True})
        assert (await people.run(gone["id"], "applied"))["changes_remove"] == 1
        deployment = await people.get(f"/api/v1/deployments/{first['deployment_id']}")
        assert deployment["destroyed_at"] is not None
        assert (await people.get("/api/v1/runs?tag=a=b"))["items"] == []

    async def test_a_rejected_plan_is_not_applied(self, people: People, module: Published, engine: str) -> None:
        submitted = await people.post("/api/v1/runs", a_run(module, engine=engine))
        await people.run(submitted["id"], "awaiting_approval")
        await people.post(f"/api/v1/runs/{submitted['id']}/reject", {"reason": "not now"})
        await people.run(submitted["id"], "rejected")
        states = await people.get(f"/api/v1/deployments/{submitted['deployment_id']}/states")
        assert states["items"] == []

    async def test_a_preview_changes_nothing(self, people: People, module: Published, engine: str) -> None:
        preview = await people.post("/api/v1/runs", a_run(module, engine=engine, operation="plan"))
        planned = await people.run(preview["id"], "planned")
        assert planned["changes_add"] == 1
        assert "will be created" in (await people.get(f"/api/v1/runs/{preview['id']}/plan"))["text"]

    async def test_a_failure_says_what_is_wrong(
        self, people: People, services: Services, caller: Caller, engine: str
    ) -> None:
        broken = await publish_module(services, caller, {"main.tf": 'output "a" {\n  value = nothing.at.all\n}\n'})
        submitted = await people.post(
            "/api/v1/runs", {"deployment": "one", "module": broken.as_json(), "engine": engine}
        )
        failed = await people.run(submitted["id"], "failed")
        assert failed["error_class"] == "config"
        assert "nothing" in failed["error_message"]
        following = await people.post(
            "/api/v1/runs", {"deployment": "one", "module": broken.as_json(), "operation": "plan"}
        )
        await people.run(following["id"], "failed")

    async def test_a_failure_tells_nobody_a_secret(
        self, people: People, services: Services, caller: Caller, engine: str, temporal_client: Client
    ) -> None:
        telling = await publish_module(services, caller, A_TELLING_MODULE)
        body = {
            "deployment": "one",
            "module": telling.as_json(),
            "engine": engine,
            "secret_inputs": {"password": "hunter2-canary"},
        }
        submitted = await people.post("/api/v1/runs", body)
        failed = await people.run(submitted["id"], "failed")
        assert "the password" in failed["error_message"]
        history = (await temporal_client.get_workflow_handle(f"run:{submitted['id']}").fetch_history()).to_json()
        for told in (json.dumps(failed), history, await people.log(submitted["id"])):
            assert "hunter2-canary" not in told

    async def test_an_undeclared_input_is_refused(self, people: People, module: Published, engine: str) -> None:
        body = a_run(module, engine=engine, inputs={"name": "anna", "nmae": "a slip"})
        submitted = await people.post("/api/v1/runs", body)
        failed = await people.run(submitted["id"], "failed")
        assert "nmae" in failed["error_message"]


class TestCancel:
    async def test_in_the_middle_of_an_apply_keeps_what_was_made(
        self, people: People, long_module: Published, engine: str
    ) -> None:
        submitted = await people.post(
            "/api/v1/runs",
            {"deployment": "long", "module": long_module.as_json(), "engine": engine, "auto_apply": True},
        )
        await people.log_with(submitted["id"], "it takes its time")
        await people.post(f"/api/v1/runs/{submitted['id']}/cancel")
        await people.run(submitted["id"], "canceled")
        states = await people.get(f"/api/v1/deployments/{submitted['deployment_id']}/states")
        assert states["items"], "what was made by then is in no state"
        following = await people.post(
            "/api/v1/runs", {"deployment": "long", "operation": "destroy", "auto_apply": True}
        )
        destroyed = await people.run(following["id"], "applied")
        assert destroyed["changes_remove"] >= 1

    async def test_while_it_waits_ends_it_at_once(self, people: People, module: Published) -> None:
        submitted = await people.post("/api/v1/runs", a_run(module))
        await people.run(submitted["id"], "awaiting_approval")
        await people.post(f"/api/v1/runs/{submitted['id']}/cancel")
        await people.run(submitted["id"], "canceled")


class TestFollow:
    async def test_the_log_comes_as_events_and_goes_on_where_it_was_cut_off(
        self, people: People, module: Published
    ) -> None:
        submitted = await people.post("/api/v1/runs", a_run(module, auto_apply=True))
        events = [event async for event in self.events(people, submitted["id"])]
        assert events[-1]["event"] == "end"
        await people.run(submitted["id"], "applied")
        assert json.loads(events[-1]["data"]) == {"state": "applied"}
        lines = [event for event in events if event["event"] == "log"]
        assert "\n".join(event["data"] for event in lines) + "\n" == await people.log(submitted["id"])
        middle = len(lines) // 2
        rest = [event async for event in self.events(people, submitted["id"], after=lines[middle - 1]["id"])]
        again = [event["data"] for event in rest if event["event"] == "log"]
        assert "\n".join(again) == "\n".join(event["data"] for event in lines[middle:])

    async def test_a_place_that_no_log_has_is_refused(self, people: People, module: Published) -> None:
        submitted = await people.post("/api/v1/runs", a_run(module))
        headers = people.caller.headers | {"Last-Event-ID": "somewhere"}
        answer = await people.client.get(f"/api/v1/runs/{submitted['id']}/logs", headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (422, "provisioning.log_position_invalid")

    @staticmethod
    async def events(people: People, run_id: str, *, after: str | None = None) -> AsyncIterator[dict[str, str]]:
        headers = people.caller.headers | ({} if after is None else {"Last-Event-ID": after})
        answer = await people.client.get(f"/api/v1/runs/{run_id}/logs", headers=headers, timeout=LONGEST)
        assert answer.headers["content-type"].startswith("text/event-stream")
        for block in answer.text.split("\n\n"):
            event: dict[str, list[str]] = {}
            for line in block.split("\n"):
                name, separator, value = line.partition(": ")
                if separator and name:
                    event.setdefault(name, []).append(value)
            if event:
                yield {name: "\n".join(values) for name, values in event.items()}
