"""Verifications over HTTP: the list of a release's checks, and asking for another."""

import hashlib

import httpx2
import pytest
from sqlalchemy import text

from domain.registry.verifications import VerificationReference
from integrations.public_keys import read_public_key
from services.all import Services
from storage.database import Database
from tests.factories.organizations import Caller
from tests.factories.registry import LINUX, PROVIDERS, Release, a_provider, add_key, claim_namespace, publish
from tests.fixtures.signing import Signer

pytestmark = pytest.mark.servers

SIGNER = Signer()


@pytest.fixture
async def path(client: httpx2.AsyncClient, caller: Caller) -> str:
    """Publish a release; give the path of its verifications."""
    namespace = await claim_namespace(client, caller)
    await add_key(client, caller, namespace, SIGNER)
    answer = await publish(client, caller, PROVIDERS, a_provider(namespace, Release(SIGNER)))
    assert answer.status_code == 201, answer.text
    return f"{PROVIDERS}/{namespace}/time/0.1.0/verifications"


async def perform(services: Services, caller: Caller, verification_id: str) -> None:
    reference = VerificationReference.model_validate(
        {"organization_id": caller.organization.id, "verification_id": verification_id}
    )
    await services.registry.verifications.perform(reference, alive=lambda: None)


class TestListVerifications:
    async def test_the_first_is_the_publication_with_every_file_and_the_key(
        self, client: httpx2.AsyncClient, caller: Caller, path: str
    ) -> None:
        [first] = (await client.get(path, headers=caller.headers)).json()["items"]
        assert (first["result"], first["code"], first["reason"]) == ("verified", None, None)
        assert set(first["checked_by"]) == {"pysequoia", "gpg"}
        assert first["evidence"]["verified_by"] == first["checked_by"]
        assert first["evidence"]["key_fingerprint"] == read_public_key(SIGNER.public).fingerprint
        release = Release(SIGNER)
        sums, _, manifest, package = first["files"]
        assert [each["name"].removeprefix(release.stem) for each in first["files"]] == [
            "SHA256SUMS",
            "SHA256SUMS.sig",
            "manifest.json",
            f"{LINUX}.zip",
        ]
        assert sums["found_sha256"] == hashlib.sha256(release.checksums).hexdigest()
        assert manifest["found_sha256"] == hashlib.sha256(release.manifest).hexdigest()
        assert package["found_sha256"] == hashlib.sha256(release.packages[LINUX]).hexdigest()

    async def test_pages_go_on_in_the_order_of_asking(
        self, client: httpx2.AsyncClient, caller: Caller, services: Services, path: str
    ) -> None:
        asked = []
        for _ in range(2):
            asked.append((await client.post(path, headers=caller.headers)).json()["id"])
            await perform(services, caller, asked[-1])
        first = (await client.get(path, params={"limit": 2}, headers=caller.headers)).json()
        rest = {"limit": 2, "cursor": first["next_cursor"]}
        second = (await client.get(path, params=rest, headers=caller.headers)).json()
        assert [each["id"] for each in [*first["items"], *second["items"]][1:]] == asked
        assert second["next_cursor"] is None

    @pytest.mark.parametrize("method", ["GET", "POST"])
    async def test_of_a_version_that_was_not_published_there_are_none(
        self, client: httpx2.AsyncClient, caller: Caller, path: str, method: str
    ) -> None:
        answer = await client.request(method, path.replace("0.1.0", "0.2.0"), headers=caller.headers)
        assert (answer.status_code, answer.json()["code"]) == (404, "registry.provider_not_found")


class TestRequestVerification:
    async def test_is_accepted_with_the_id_that_it_will_have_and_wakes_its_workflow(
        self, client: httpx2.AsyncClient, caller: Caller, services: Services, database: Database, path: str
    ) -> None:
        answer = await client.post(path, headers=caller.headers)
        assert (answer.status_code, answer.headers["location"]) == (202, path)
        assert answer.json()["done"] is False
        async with database.transaction(caller.scope) as session:
            [wake] = await session.execute(text("SELECT workflow, workflow_id, summary FROM outbox"))
        assert wake.workflow == "registry.verify_provider"
        assert wake.workflow_id == f"verification:{answer.json()['id']}"
        assert wake.summary == f"verifies {path.split('/')[4]}/time 0.1.0"
        await perform(services, caller, answer.json()["id"])
        [_, made] = (await client.get(path, headers=caller.headers)).json()["items"]
        assert (made["id"], made["result"]) == (answer.json()["id"], "verified")

    async def test_while_one_is_asked_for_it_is_the_one(
        self, client: httpx2.AsyncClient, caller: Caller, database: Database, path: str
    ) -> None:
        first, second = [await client.post(path, headers=caller.headers) for _ in range(2)]
        assert first.json() == second.json()
        async with database.transaction(caller.scope) as session:
            deeds = await session.scalar(
                text("SELECT count(*) FROM audit_event WHERE action = 'registry.verification_requested'")
            )
        assert deeds == 1

    async def test_the_same_request_after_it_was_made_asks_for_no_other(
        self, client: httpx2.AsyncClient, caller: Caller, services: Services, path: str
    ) -> None:
        headers = caller.headers | {"Idempotency-Key": "once"}
        first = (await client.post(path, headers=headers)).json()
        await perform(services, caller, first["id"])
        again = (await client.post(path, headers=headers)).json()
        assert again == {"id": first["id"], "done": True}
        other = (await client.post(path, headers=caller.headers)).json()
        assert other["id"] != first["id"]
        # The next one is open, and the key still names its own.
        assert (await client.post(path, headers=headers)).json() == {"id": first["id"], "done": True}
