"""Organizations over HTTP."""

import asyncio

import httpx2
import pytest

from domain.ids import new_id
from tests.factories.organizations import OPERATOR, Caller

pytestmark = pytest.mark.servers
PATH = "/api/v1/organizations"


def an_organization() -> dict[str, str]:
    slug = f"o-{new_id().hex}"
    return {"slug": slug, "display_name": "An organization", "administrator_email": f"a@{slug}.example"}


class TestCreateOrganization:
    async def test_gives_a_key_of_its_first_administrator(
        self, client: httpx2.AsyncClient, operator: dict[str, str]
    ) -> None:
        answer = await client.post(PATH, json=an_organization(), headers=operator)
        made = answer.json()
        assert (answer.status_code, answer.headers["cache-control"]) == (201, "no-store")
        headers = {"Authorization": f"Bearer {made['administrator_key']}"}
        seen = (await client.get(PATH, headers=headers)).json()["items"]
        assert [item["id"] for item in seen] == [made["id"]]

    async def test_of_ten_with_one_slug_one_wins(
        self, client: httpx2.AsyncClient, operator: dict[str, str]
    ) -> None:
        body = an_organization()
        answers = await asyncio.gather(*(client.post(PATH, json=body, headers=operator) for _ in range(10)))
        assert sorted(answer.status_code for answer in answers) == [201] + [409] * 9

    async def test_the_same_request_again_is_told_what_it_made(
        self, client: httpx2.AsyncClient, operator: dict[str, str]
    ) -> None:
        body, headers = an_organization(), operator | {"Idempotency-Key": new_id().hex}
        made = (await client.post(PATH, json=body, headers=headers)).json()
        answer = await client.post(PATH, json=body, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (409, "platform.already_made")
        assert answer.json()["facts"] == {"id": made["id"]}
        other = await client.post(PATH, json=an_organization(), headers=headers)
        assert (other.status_code, other.json()["code"]) == (422, "platform.idempotency_key_reused")

    @pytest.mark.usefixtures("walls")
    async def test_an_operator_who_administers_another_one_has_no_right_over_the_installation_there(
        self, client: httpx2.AsyncClient, operator: dict[str, str]
    ) -> None:
        body = an_organization() | {"administrator_email": OPERATOR}
        made = (await client.post(PATH, json=body, headers=operator)).json()
        headers = {"Authorization": f"Bearer {made['administrator_key']}"}
        assert (await client.post(PATH, json=an_organization(), headers=headers)).status_code == 403
        assert (await client.post(PATH, json=an_organization(), headers=operator)).status_code == 201

    @pytest.mark.parametrize("slug", ["-a", "a-", "A", "a.b", "a" * 64, "admin", "ä", ""])
    async def test_refuses_what_is_no_slug(
        self, client: httpx2.AsyncClient, operator: dict[str, str], slug: str
    ) -> None:
        answer = await client.post(PATH, json=an_organization() | {"slug": slug}, headers=operator)
        assert answer.status_code == 422

    @pytest.mark.parametrize("email", ["ada", "ada@", "a da@b", "a\0@b", "a@" + "b" * 320])
    async def test_says_how_an_address_of_mail_is_written(
        self, client: httpx2.AsyncClient, operator: dict[str, str], email: str
    ) -> None:
        answer = await client.post(PATH, json=an_organization() | {"administrator_email": email}, headers=operator)
        assert answer.status_code == 422
        [error] = answer.json()["errors"]
        assert error["at"] == "body/administrator_email"
        assert error["detail"].startswith(("is written as in ada@acme.example", "contains a character"))

    async def test_is_denied_to_an_organizations_administrator(
        self, client: httpx2.AsyncClient, caller: Caller
    ) -> None:
        answer = await client.post(PATH, json=an_organization(), headers=caller.headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "identity.permission_denied")


class TestListOrganizations:
    async def test_shows_all_to_an_operator(
        self, client: httpx2.AsyncClient, operator: dict[str, str], caller: Caller
    ) -> None:
        seen: set[str] = set()
        params: dict[str, str] = {"limit": "200"}
        while True:
            page = (await client.get(PATH, params=params, headers=operator)).json()
            seen |= {item["id"] for item in page["items"]}
            if page["next_cursor"] is None:
                break
            params["cursor"] = page["next_cursor"]
        assert str(caller.organization.id) in seen
