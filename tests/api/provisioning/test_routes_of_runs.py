"""Runs, deployments and tiers over HTTP, as far as no worker is needed."""

from typing import Any
from uuid import UUID

import httpx2
import pytest
from asgi_lifespan import LifespanManager
from fastapi import Request

from api.app import create_app
from api.dependencies import Requires
from config.settings import TemporalSettings
from services.all import Services
from storage.database import Database
from tests.factories.modules import Published, publish_module
from tests.factories.organizations import Caller
from tests.fixtures.queries import counted_queries

pytestmark = pytest.mark.servers
PATH = "/api/v1/runs"


@pytest.fixture
async def module(services: Services, caller: Caller) -> Published:
    return await publish_module(services, caller, {"main.tf": ""})


class TestSubmit:
    async def test_answers_with_the_run_and_where_it_is(
        self, client: httpx2.AsyncClient, caller: Caller, module: Published
    ) -> None:
        body = {"deployment": "one", "module": module.as_json(), "secret_inputs": {"password": "hunter2-canary"}}
        answer = await client.post(PATH, json=body, headers=caller.headers)
        run = answer.json()
        assert (answer.status_code, answer.headers["location"]) == (202, f"{PATH}/{run['id']}")
        assert (run["state"], run["operation"], run["environment"]) == ("accepted", "apply", "development")
        assert run["secret_input_names"] == ["password"]
        assert "hunter2-canary" not in answer.text

    async def test_applying_without_asking_needs_the_right_to_approve(
        self, client: httpx2.AsyncClient, caller: Caller, module: Published
    ) -> None:
        key = {"name": "ci", "kind": "svc", "scopes": ["run:submit", "run:read"]}
        made = (await client.post("/api/v1/api-keys", json=key, headers=caller.headers)).json()
        headers = {"Authorization": f"Bearer {made['key']}"}
        body = {"deployment": "one", "module": module.as_json()}
        refused = await client.post(PATH, json=body | {"auto_apply": True}, headers=headers)
        assert (refused.status_code, refused.json()["facts"]) == (403, {"permission": "run:approve"})
        accepted = await client.post(PATH, json=body, headers=headers)
        assert accepted.status_code == 202
        approved = await client.post(f"{PATH}/{accepted.json()['id']}/approve", json={}, headers=headers)
        assert approved.status_code == 403

    @pytest.mark.parametrize(
        ("changes", "facts"),
        [
            ({"operation": "import"}, {"operations": ["apply", "destroy", "plan", "refresh"]}),
            ({"engine": "pulumi"}, {"engines": ["opentofu", "terraform"]}),
        ],
        ids=["operation", "engine"],
    )
    async def test_refuses_what_no_worker_does_yet(
        self,
        client: httpx2.AsyncClient,
        caller: Caller,
        module: Published,
        changes: dict[str, Any],
        facts: dict[str, Any],
    ) -> None:
        body = {"deployment": "one", "module": module.as_json()} | changes
        answer = await client.post(PATH, json=body, headers=caller.headers)
        assert (answer.status_code, answer.json()["code"]) == (422, "provisioning.not_offered")
        assert answer.json()["facts"] == facts

    @pytest.mark.parametrize(
        ("changes", "at"),
        [
            ({"deployment": "One"}, "body/deployment"),
            ({"deployment": "a" * 64}, "body/deployment"),
            ({"module": {"source": "a/b", "version": "1.0.0"}}, "body/module/source"),
            ({"operation": "improve"}, "body/operation"),
            ({"inputs": {"no name": 1}}, "body/inputs/no name"),
            ({"inputs": {"a": "\0"}}, "body/inputs/a"),
            ({"inputs": {"a": [0] * 10_001}}, "body/inputs/a"),
            ({"tags": {"": "x"}}, "body/tags/"),
            ({"state": "applied"}, "body/state"),
            ({"environment": "Production"}, "body/environment"),
        ],
        ids=lambda value: str(value)[:30],
    )
    async def test_says_which_field_is_wrong(
        self, client: httpx2.AsyncClient, caller: Caller, module: Published, changes: dict[str, Any], at: str
    ) -> None:
        body = {"deployment": "one", "module": module.as_json()} | changes
        answer = await client.post(PATH, json=body, headers=caller.headers)
        assert answer.status_code == 422, answer.text
        assert {error["at"].removesuffix("/[key]") for error in answer.json()["errors"]} == {at}


class TestList:
    async def test_pages_follow_each_other_and_hold_to_their_filter(
        self, client: httpx2.AsyncClient, caller: Caller, module: Published
    ) -> None:
        made = []
        for number in range(5):
            body = {"deployment": f"d{number}", "module": module.as_json(), "tags": {"team": "a"}}
            made.append((await client.post(PATH, json=body, headers=caller.headers)).json()["id"])
        seen: list[str] = []
        params: dict[str, Any] = {"limit": 2, "tag": "team=a"}
        while True:
            page = (await client.get(PATH, params=params, headers=caller.headers)).json()
            seen += [item["id"] for item in page["items"]]
            if page["next_cursor"] is None:
                break
            params["cursor"] = page["next_cursor"]
        assert seen == made[::-1]
        other = await client.get(PATH, params=params | {"tag": "team=b"}, headers=caller.headers)
        assert (other.status_code, other.json()["code"]) == (422, "platform.cursor_invalid")

    async def test_deployments_are_found_by_name_environment_and_tag(
        self, client: httpx2.AsyncClient, caller: Caller, module: Published
    ) -> None:
        for name, environment in (("one", "staging"), ("two", "production")):
            body = {"deployment": name, "module": module.as_json(), "environment": environment}
            await client.post(PATH, json=body | {"tags": {"name": name}}, headers=caller.headers)
        for query in ("name=one", "environment=staging", "tag=name%3Done"):
            found = (await client.get(f"/api/v1/deployments?{query}", headers=caller.headers)).json()
            assert [item["name"] for item in found["items"]] == ["one"], query

    async def test_a_list_of_many_takes_no_more_queries_than_one_of_few(
        self, client: httpx2.AsyncClient, caller: Caller, module: Published, database: Database
    ) -> None:
        counted = []
        for number in range(12):
            body = {"deployment": f"d{number}", "module": module.as_json()}
            await client.post(PATH, json=body, headers=caller.headers)
            with counted_queries(database) as queries:
                await client.get(PATH, headers=caller.headers)
            counted.append(len(queries))
        assert counted[-1] <= counted[1]


class TestGet:
    async def test_names_the_workflow_and_its_page_where_that_is_known(
        self, client: httpx2.AsyncClient, services: Services, caller: Caller, module: Published
    ) -> None:
        body = {"deployment": "one", "module": module.as_json()}
        run = (await client.post(PATH, json=body, headers=caller.headers)).json()["id"]
        shown = (await client.get(f"{PATH}/{run}", headers=caller.headers)).json()
        assert (shown["workflow_id"], shown["workflow_url"]) == (f"run:{run}", None)
        pages = TemporalSettings(web_url="https://temporal.acme.example/", namespace="acme").workflow_pages
        async with (
            LifespanManager(create_app(services, workflow_pages=pages)) as told,
            httpx2.AsyncClient(transport=httpx2.ASGITransport(app=told.app), base_url="http://test") as other,
        ):
            shown = (await other.get(f"{PATH}/{run}", headers=caller.headers)).json()
        assert shown["workflow_url"] == f"https://temporal.acme.example/namespaces/acme/workflows/run:{run}"

    async def test_shows_the_place_in_line(
        self, client: httpx2.AsyncClient, caller: Caller, module: Published
    ) -> None:
        body = {"deployment": "one", "module": module.as_json()}
        made = [(await client.post(PATH, json=body, headers=caller.headers)).json()["id"] for _ in range(3)]
        shown = [(await client.get(f"{PATH}/{run_id}", headers=caller.headers)).json() for run_id in made]
        assert [run["queue_position"] for run in shown] == [None, 1, 2]


class TestFollowLog:
    async def test_ends_when_its_key_does(
        self,
        client: httpx2.AsyncClient,
        services: Services,
        caller: Caller,
        module: Published,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        key = {"name": "reader", "kind": "svc", "scopes": ["run:read"]}
        made = (await client.post("/api/v1/api-keys", json=key, headers=caller.headers)).json()
        body = {"deployment": "one", "module": module.as_json()}
        run = (await client.post(PATH, json=body, headers=caller.headers)).json()
        monkeypatch.setattr("services.provisioning.logs.ASKED_AGAIN", 0.01)
        told: list[bool] = []

        async def asked(requires: Requires, request: Request) -> bool:
            told.append(await again(requires, request))
            if len(told) == 1:
                await services.identity.api_keys.revoke(caller.scope, UUID(made["id"]))
                services.identity.changes.tell(caller.organization.id)  # what the process hears from PostgreSQL
            return told[-1]

        again = Requires.again
        monkeypatch.setattr(Requires, "again", asked)
        headers = {"Authorization": f"Bearer {made['key']}"}
        answer = await client.get(f"{PATH}/{run['id']}/logs", headers=headers)
        assert (answer.status_code, told) == (200, [True, False])
        assert "event: end" not in answer.text
