"""API keys over HTTP."""

import asyncio
from datetime import UTC, datetime, timedelta

import httpx2
import pytest

from domain.ids import new_id
from services.all import Services
from tests.factories.organizations import Caller

pytestmark = pytest.mark.servers
PATH = "/api/v1/api-keys"


class TestCreateApiKey:
    async def test_shows_the_key_once_and_it_works(self, client: httpx2.AsyncClient, caller: Caller) -> None:
        answer = await client.post(PATH, json={"name": "laptop"}, headers=caller.headers)
        made = answer.json()
        assert (answer.status_code, answer.headers["cache-control"]) == (201, "no-store")
        listed = await client.get(PATH, headers={"Authorization": f"Bearer {made['key']}"})
        assert made["kid"] in {item["kid"] for item in listed.json()["items"]}
        assert made["key"].split("_")[3] not in listed.text

    async def test_has_no_right_that_its_maker_lacks(self, client: httpx2.AsyncClient, caller: Caller) -> None:
        body = {"name": "narrow", "scopes": ["api_key:create", "api_key:read"]}
        narrow = (await client.post(PATH, json=body, headers=caller.headers)).json()
        headers = {"Authorization": f"Bearer {narrow['key']}"}

        wide = await client.post(PATH, json={"name": "wide", "scopes": ["run:submit"]}, headers=headers)
        assert (wide.status_code, wide.json()["code"]) == (403, "identity.scope_exceeds_owner")
        everything = await client.post(PATH, json={"name": "all", "scopes": ["*"]}, headers=headers)
        assert everything.json()["scopes"] == ["api_key:create", "api_key:read"]

    @pytest.mark.parametrize(("asked", "given"), [(None, 60), (3600, 60), (30, 30)])
    async def test_ends_with_its_maker_at_the_latest(
        self, client: httpx2.AsyncClient, caller: Caller, asked: int | None, given: int
    ) -> None:
        now = datetime.now(UTC)
        body = {"name": "short", "expires_at": (now + timedelta(seconds=60)).isoformat()}
        short = (await client.post(PATH, json=body, headers=caller.headers)).json()
        headers = {"Authorization": f"Bearer {short['key']}"}
        child = {"name": "child", "expires_at": None if asked is None else str(now + timedelta(seconds=asked))}
        answer = await client.post(PATH, json=child, headers=headers)
        assert answer.status_code == 201
        assert datetime.fromisoformat(answer.json()["expires_at"]) == now + timedelta(seconds=given)

    async def test_does_not_end_where_its_maker_does_not(self, client: httpx2.AsyncClient, caller: Caller) -> None:
        answer = await client.post(PATH, json={"name": "lasting"}, headers=caller.headers)
        assert answer.json()["expires_at"] is None

    @pytest.mark.parametrize(
        ("field", "value"), [("name", ""), ("name", "a\0b"), ("scopes", ["no:such"]), ("kind", "run"), ("id", "x")]
    )
    async def test_says_which_field_is_wrong(
        self, client: httpx2.AsyncClient, caller: Caller, field: str, value: object
    ) -> None:
        answer = await client.post(PATH, json={"name": "laptop", field: value}, headers=caller.headers)
        assert answer.status_code == 422
        assert {error["at"].split("/")[1] for error in answer.json()["errors"]} == {field}

    async def test_refuses_an_expiry_in_the_past(self, client: httpx2.AsyncClient, caller: Caller) -> None:
        body = {"name": "late", "expires_at": (datetime.now(UTC) - timedelta(seconds=1)).isoformat()}
        answer = await client.post(PATH, json=body, headers=caller.headers)
        assert (answer.status_code, answer.json()["code"]) == (422, "identity.expiry_past")


class TestCreateApiKeyAgain:
    async def test_tells_which_key_the_request_made_and_makes_no_other(
        self, client: httpx2.AsyncClient, caller: Caller
    ) -> None:
        headers = caller.headers | {"Idempotency-Key": "once"}
        answers = await asyncio.gather(
            *(client.post(PATH, json={"name": "pipeline"}, headers=headers) for _ in range(5))
        )
        assert sorted(answer.status_code for answer in answers) == [201] + [409] * 4
        [made] = [answer.json() for answer in answers if answer.status_code == 201]
        for again in (answer.json() for answer in answers if answer.status_code == 409):
            assert (again["code"], again["facts"]) == ("platform.already_made", {"id": made["id"]})
            assert "key" not in again
        listed = (await client.get(PATH, headers=caller.headers)).json()["items"]
        assert [key["id"] for key in listed if key["name"] == "pipeline"] == [made["id"]]

    async def test_refuses_another_request_with_the_same_idempotency_key(
        self, client: httpx2.AsyncClient, caller: Caller
    ) -> None:
        headers = caller.headers | {"Idempotency-Key": "once"}
        assert (await client.post(PATH, json={"name": "a"}, headers=headers)).status_code == 201
        answer = await client.post(PATH, json={"name": "b"}, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (422, "platform.idempotency_key_reused")

    async def test_a_refused_request_uses_up_no_idempotency_key(
        self, client: httpx2.AsyncClient, caller: Caller
    ) -> None:
        headers = caller.headers | {"Idempotency-Key": "once"}
        late = {"name": "a", "expires_at": (datetime.now(UTC) - timedelta(seconds=1)).isoformat()}
        assert (await client.post(PATH, json=late, headers=headers)).status_code == 422
        assert (await client.post(PATH, json={"name": "a"}, headers=headers)).status_code == 201

    async def test_another_organization_may_use_the_same_idempotency_key(
        self, client: httpx2.AsyncClient, caller: Caller, stranger: Caller
    ) -> None:
        for who in (caller, stranger):
            headers = who.headers | {"Idempotency-Key": "once"}
            assert (await client.post(PATH, json={"name": "a"}, headers=headers)).status_code == 201


class TestUseApiKey:
    async def test_a_revoked_key_is_refused(
        self, client: httpx2.AsyncClient, caller: Caller, services: Services
    ) -> None:
        made = (await client.post(PATH, json={"name": "lost"}, headers=caller.headers)).json()
        headers = {"Authorization": f"Bearer {made['key']}"}
        assert (await client.get(PATH, headers=headers)).status_code == 200

        assert (await client.delete(f"{PATH}/{made['id']}", headers=caller.headers)).status_code == 204
        services.identity.changes.tell(caller.organization.id)  # what the process hears from PostgreSQL
        answer = await client.get(PATH, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (401, "identity.unauthenticated")
        assert answer.headers["www-authenticate"] == "Bearer"

    async def test_an_expired_key_is_refused_although_it_is_remembered(
        self, client: httpx2.AsyncClient, caller: Caller
    ) -> None:
        expires_at = datetime.now(UTC) + timedelta(seconds=1.5)
        body = {"name": "short", "expires_at": expires_at.isoformat()}
        made = (await client.post(PATH, json=body, headers=caller.headers)).json()
        headers = {"Authorization": f"Bearer {made['key']}"}
        assert (await client.get(PATH, headers=headers)).status_code == 200
        while datetime.now(UTC) < expires_at:
            assert (await client.get(PATH, headers=headers)).status_code in {200, 401}
        assert (await client.get(PATH, headers=headers)).status_code == 401

    @pytest.mark.parametrize("header", [{}, {"Authorization": "Bearer x"}, {"Authorization": "Basic eDp5"}])
    async def test_no_key_is_unauthenticated(self, client: httpx2.AsyncClient, header: dict[str, str]) -> None:
        answer = await client.get(PATH, headers=header)
        assert (answer.status_code, answer.json()["code"]) == (401, "identity.unauthenticated")

    async def test_a_wrong_secret_of_a_real_key_is_unauthenticated(
        self, client: httpx2.AsyncClient, caller: Caller, stranger: Caller
    ) -> None:
        from domain.identity.keys import CHECKSUM_LENGTH, _checksum  # noqa: PLC0415  forging is this test's alone

        kid = caller.key.split("_")[2]
        parts = stranger.key.split("_")
        body = "_".join([*parts[:2], kid, parts[3][:-CHECKSUM_LENGTH]])
        answer = await client.get(PATH, headers={"Authorization": f"Bearer {body}{_checksum(body)}"})
        assert answer.status_code == 401

    async def test_a_key_without_the_permission_is_denied(
        self, client: httpx2.AsyncClient, caller: Caller
    ) -> None:
        body = {"name": "reader", "scopes": ["registry:read"]}
        made = (await client.post(PATH, json=body, headers=caller.headers)).json()
        answer = await client.get(PATH, headers={"Authorization": f"Bearer {made['key']}"})
        assert (answer.status_code, answer.json()["facts"]) == (403, {"permission": "api_key:read"})


class TestListApiKeys:
    async def test_pages_follow_each_other(self, client: httpx2.AsyncClient, caller: Caller) -> None:
        for number in range(4):
            await client.post(PATH, json={"name": f"key {number}"}, headers=caller.headers)
        seen, cursor = [], None
        while True:
            params = {"limit": "2"} | ({"cursor": cursor} if cursor else {})
            page = (await client.get(PATH, params=params, headers=caller.headers)).json()
            seen += [item["name"] for item in page["items"]]
            cursor = page["next_cursor"]
            if cursor is None:
                break
        assert seen == ["first administrator", *(f"key {number}" for number in range(4))]

    async def test_a_cursor_of_another_organization_is_refused(
        self, client: httpx2.AsyncClient, caller: Caller, stranger: Caller
    ) -> None:
        await client.post(PATH, json={"name": "second"}, headers=caller.headers)
        page = (await client.get(PATH, params={"limit": "1"}, headers=caller.headers)).json()
        answer = await client.get(PATH, params={"cursor": page["next_cursor"]}, headers=stranger.headers)
        assert (answer.status_code, answer.json()["code"]) == (422, "platform.cursor_invalid")


class TestRevokeApiKey:
    async def test_an_unknown_key_is_not_found(self, client: httpx2.AsyncClient, caller: Caller) -> None:
        answer = await client.delete(f"{PATH}/{new_id()}", headers=caller.headers)
        assert (answer.status_code, answer.json()["code"]) == (404, "identity.api_key_not_found")

    async def test_the_last_key_of_an_administrator_stays(
        self, client: httpx2.AsyncClient, caller: Caller, stranger: Caller
    ) -> None:
        del stranger  # its administrator's key does not count here
        soon = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
        for body in ({"name": "soon over", "expires_at": soon}, {"name": "narrow", "scopes": ["api_key:create"]}):
            assert (await client.post(PATH, json=body, headers=caller.headers)).status_code == 201
        path = f"{PATH}/{caller.principal.key_id}"
        answer = await client.delete(path, headers=caller.headers)
        assert (answer.status_code, answer.json()["code"]) == (409, "identity.api_key_is_last")

        await client.post(PATH, json={"name": "second"}, headers=caller.headers)
        assert (await client.delete(path, headers=caller.headers)).status_code == 204

    async def test_of_two_administrators_who_revoke_each_others_key_one_stays(
        self, client: httpx2.AsyncClient, caller: Caller
    ) -> None:
        other = (await client.post(PATH, json={"name": "other"}, headers=caller.headers)).json()
        answers = await asyncio.gather(
            *(
                client.delete(f"{PATH}/{key}", headers=caller.headers)
                for key in (other["id"], caller.principal.key_id)
            )
        )
        assert sorted(answer.status_code for answer in answers) == [204, 409]
