"""Namespaces and the keys in them over HTTP."""

import asyncio

import httpx2
import pysequoia
import pytest

from domain.ids import new_id
from tests.factories.organizations import Caller
from tests.factories.registry import (
    NAMESPACES,
    PROVIDERS,
    Release,
    a_provider,
    add_key,
    claim_namespace,
    publish,
)
from tests.fixtures.signing import Signer, a_gpg

pytestmark = pytest.mark.servers


async def claim(client: httpx2.AsyncClient, caller: Caller, name: str) -> tuple[int, str | None]:
    answer = await client.post(NAMESPACES, json={"name": name}, headers=caller.headers)
    return answer.status_code, answer.json().get("code")


class TestClaimNamespace:
    async def test_is_one_organizations_for_good(
        self, client: httpx2.AsyncClient, caller: Caller, stranger: Caller
    ) -> None:
        name = await claim_namespace(client, caller)
        assert await claim(client, caller, name) == (200, None)
        assert await claim(client, stranger, name) == (409, "registry.namespace_taken")

    async def test_of_twenty_organizations_at_once_one_has_it(
        self, client: httpx2.AsyncClient, caller: Caller, stranger: Caller
    ) -> None:
        name = f"ns{new_id().hex}"
        answers = await asyncio.gather(*(claim(client, each, name) for each in (caller, stranger) * 10))
        codes = sorted(status for status, _ in answers)
        assert codes == [200] * 9 + [201] + [409] * 10

    async def test_what_looks_like_it_is_taken_too(
        self, client: httpx2.AsyncClient, caller: Caller, stranger: Caller
    ) -> None:
        name = await claim_namespace(client, caller)
        for alike in (f"{name[:4]}-{name[4:]}", name.replace("0", "o"), name.replace("1", "l")):
            if alike != name:
                assert await claim(client, stranger, alike) == (409, "registry.namespace_confusable")

    @pytest.mark.parametrize(
        ("name", "code"),
        [
            ("hashicorp", "registry.namespace_reserved"),
            ("Acme", "registry.name_invalid"),
            ("..", "registry.name_invalid"),
            ("a/b", "registry.name_invalid"),
            ("\u0430cme", "registry.name_invalid"),
            ("a\0b", "request.invalid"),
            ("", "request.invalid"),
            ("a" * 65, "request.invalid"),
        ],
    )
    async def test_refuses_what_is_no_name(
        self, client: httpx2.AsyncClient, caller: Caller, name: str, code: str
    ) -> None:
        assert await claim(client, caller, name) == (422, code)


class TestListNamespaces:
    async def test_refuses_another_name_with_the_same_idempotency_key(
        self, client: httpx2.AsyncClient, caller: Caller
    ) -> None:
        headers, names = caller.headers | {"Idempotency-Key": "once"}, [f"ns{new_id().hex}" for _ in range(2)]
        answers = [
            await client.post(NAMESPACES, json={"name": name}, headers=headers) for name in (names[0], *names)
        ]
        assert [answer.status_code for answer in answers] == [201, 200, 422]
        assert answers[2].json()["code"] == "platform.idempotency_key_reused"

    async def test_shows_the_callers_in_order_of_claiming(
        self, client: httpx2.AsyncClient, caller: Caller, stranger: Caller
    ) -> None:
        await claim_namespace(client, stranger)
        names = [await claim_namespace(client, caller) for _ in range(3)]
        listed = (await client.get(NAMESPACES, headers=caller.headers)).json()["items"]
        assert [item["name"] for item in listed] == names


class TestAddGpgKey:
    async def test_shows_the_key_and_twice_is_once(self, client: httpx2.AsyncClient, caller: Caller) -> None:
        namespace, signer = await claim_namespace(client, caller), Signer()
        first = await add_key(client, caller, namespace, signer)
        again = await add_key(client, caller, namespace, signer)
        assert first == again
        assert str(first["fingerprint"]).endswith(str(first["key_id"]).lower())

    async def test_of_twenty_at_once_one_is_new(self, client: httpx2.AsyncClient, caller: Caller) -> None:
        path = f"{NAMESPACES}/{await claim_namespace(client, caller)}/gpg-keys"
        body = {"ascii_armor": Signer().public}
        answers = await asyncio.gather(*(client.post(path, json=body, headers=caller.headers) for _ in range(20)))
        assert sorted(answer.status_code for answer in answers) == [200] * 19 + [201]
        assert len({answer.json()["id"] for answer in answers}) == 1

    async def test_brings_a_prolonged_key_up_to_date(self, client: httpx2.AsyncClient, caller: Caller) -> None:
        namespace = await claim_namespace(client, caller)
        path = f"{NAMESPACES}/{namespace}/gpg-keys"
        with a_gpg() as gpg:
            key = gpg.make_key("ed25519", "1y")
            short = await client.post(path, json={"ascii_armor": gpg.public(key)}, headers=caller.headers)
            gpg.run("--quick-set-expire", key, "5y")
            long = await client.post(path, json={"ascii_armor": gpg.public(key)}, headers=caller.headers)
        assert (short.status_code, long.status_code) == (201, 200)
        assert short.json()["id"] == long.json()["id"]
        assert short.json()["expires_at"] < long.json()["expires_at"]
        older = {"ascii_armor": short.json()["ascii_armor"]}
        again = await client.post(path, json=older, headers=caller.headers)
        assert (again.status_code, again.json()) == (200, long.json())

    async def test_the_same_request_again_changes_nothing_and_adds_no_removed_key(
        self, client: httpx2.AsyncClient, caller: Caller
    ) -> None:
        path, body = f"{NAMESPACES}/{await claim_namespace(client, caller)}/gpg-keys", Signer().public
        headers = caller.headers | {"Idempotency-Key": "once"}
        first, second = [await client.post(path, json={"ascii_armor": body}, headers=headers) for _ in range(2)]
        assert (first.status_code, second.status_code) == (201, 200)
        assert first.json() == second.json()
        other = await client.post(path, json={"ascii_armor": Signer().public}, headers=headers)
        assert (other.status_code, other.json()["code"]) == (422, "platform.idempotency_key_reused")
        await client.delete(f"{path}/{first.json()['id']}", headers=caller.headers)
        answer = await client.post(path, json={"ascii_armor": body}, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (404, "registry.gpg_key_not_found")
        assert (await client.get(path, headers=caller.headers)).json()["items"] == []

    async def test_refuses_a_secret_key_and_never_repeats_it(
        self, client: httpx2.AsyncClient, caller: Caller
    ) -> None:
        path = f"{NAMESPACES}/{await claim_namespace(client, caller)}/gpg-keys"
        secret = str(pysequoia.Tsk.generate("a <a@example.com>"))
        answer = await client.post(path, json={"ascii_armor": secret}, headers=caller.headers)
        assert (answer.status_code, answer.json()["code"]) == (422, "registry.gpg_key_invalid")
        assert secret[50:100] not in answer.text
        assert (await client.get(path, headers=caller.headers)).json()["items"] == []

    async def test_needs_a_claimed_namespace_before_the_key_is_read(
        self, client: httpx2.AsyncClient, caller: Caller
    ) -> None:
        path = f"{NAMESPACES}/nobody-has-claimed-this/gpg-keys"
        answer = await client.post(path, json={"ascii_armor": "no key"}, headers=caller.headers)
        assert (answer.status_code, answer.json()["code"]) == (404, "registry.namespace_not_found")


class TestRemoveGpgKey:
    async def test_deletes_a_key_that_signed_nothing(self, client: httpx2.AsyncClient, caller: Caller) -> None:
        namespace, signer = await claim_namespace(client, caller), Signer()
        path = f"{NAMESPACES}/{namespace}/gpg-keys"
        key = await add_key(client, caller, namespace, signer)
        first, second = [await client.delete(f"{path}/{key['id']}", headers=caller.headers) for _ in range(2)]
        assert (first.status_code, second.status_code) == (204, 404)
        assert (await client.get(path, headers=caller.headers)).json()["items"] == []
        await add_key(client, caller, namespace, signer)  # nothing stands against it

    async def test_revokes_one_that_signed_and_what_it_signed_is_gone(
        self, client: httpx2.AsyncClient, caller: Caller
    ) -> None:
        namespace, old, new = await claim_namespace(client, caller), Signer(), Signer()
        path = f"{NAMESPACES}/{namespace}/gpg-keys"
        key = await add_key(client, caller, namespace, old)
        await add_key(client, caller, namespace, new)
        await publish(client, caller, PROVIDERS, a_provider(namespace, Release(old, version="1.0.0")))
        await publish(client, caller, PROVIDERS, a_provider(namespace, Release(new, version="1.1.0")))

        for _ in range(2):
            answer = await client.delete(f"{path}/{key['id']}", headers=caller.headers)
            assert answer.status_code == 204
        [revoked, _] = (await client.get(path, headers=caller.headers)).json()["items"]
        assert revoked["revoked_at"] is not None

        provider = f"/v1/providers/{namespace}/time"
        listed = (await client.get(f"{provider}/versions", headers=caller.headers)).json()["versions"]
        assert [each["version"] for each in listed] == ["1.1.0"]
        gone = await client.get(f"{provider}/1.0.0/download/linux/amd64", headers=caller.headers)
        assert gone.status_code == 404
        assert "revoked" in gone.json()["errors"][0]
        again = await client.post(path, json={"ascii_armor": old.public}, headers=caller.headers)
        assert (again.status_code, again.json()["code"]) == (409, "registry.gpg_key_revoked")
