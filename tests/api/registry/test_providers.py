"""Publishing provider releases over HTTP."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from domain.ids import new_id
from domain.registry.names import Platform
from storage.blobs.local import LocalBlobStore
from storage.blobs.store import key_of
from storage.database import Database
from tests.factories.organizations import Caller
from tests.factories.registry import (
    LINUX,
    NAMESPACES,
    PROVIDERS,
    Form,
    Release,
    a_provider,
    add_key,
    claim_namespace,
    publish,
)
from tests.fixtures.archives import a_provider_zip, a_zip
from tests.fixtures.signing import Signer
from tests.fixtures.stored import stored

pytestmark = pytest.mark.servers

MAC = Platform("darwin", "arm64")


@pytest.fixture(scope="module")
def signer() -> Signer:
    return Signer()


@pytest.fixture
async def namespace(client: httpx2.AsyncClient, caller: Caller, signer: Signer) -> str:
    name = await claim_namespace(client, caller)
    await add_key(client, caller, name, signer)
    return name


class TestPublishProvider:
    async def test_shows_the_release_with_its_evidence(
        self, client: httpx2.AsyncClient, caller: Caller, namespace: str, signer: Signer
    ) -> None:
        release = Release(signer, packages={MAC: a_provider_zip(), LINUX: a_provider_zip(content=b"x")})
        answer = await publish(client, caller, PROVIDERS, a_provider(namespace, release))
        assert answer.status_code == 201, answer.text
        shown = answer.json()
        assert shown["protocols"] == ["5.0"]
        assert [(each["os"], each["arch"]) for each in shown["platforms"]] == [
            ("darwin", "arm64"),
            ("linux", "amd64"),
        ]
        assert shown["checksums_sha256"] == hashlib.sha256(release.checksums).hexdigest()
        assert set(shown["evidence"]["verified_by"]) == {"pysequoia", "gpg"}

    async def test_the_same_files_again_are_no_error(
        self, client: httpx2.AsyncClient, caller: Caller, namespace: str, signer: Signer
    ) -> None:
        form = a_provider(namespace, Release(signer))
        first, second = [await publish(client, caller, PROVIDERS, form) for _ in range(2)]
        assert (first.status_code, second.status_code) == (201, 200)
        assert first.json() == second.json()

    async def test_the_same_files_again_store_what_was_lost(
        self, client: httpx2.AsyncClient, caller: Caller, namespace: str, signer: Signer, blob_folder: Path
    ) -> None:
        form = a_provider(namespace, Release(signer, packages={LINUX: a_provider_zip(content=new_id().bytes)}))
        shown = (await publish(client, caller, PROVIDERS, form)).json()
        lost = [shown["platforms"][0]["sha256"], shown["checksums_sha256"], shown["signature_sha256"]]
        for sha256 in lost:
            (blob_folder / key_of(sha256)).unlink()
        assert (await publish(client, caller, PROVIDERS, form)).status_code == 200
        assert [(blob_folder / key_of(sha256)).exists() for sha256 in lost] == [True] * 3

    async def test_another_signature_of_a_published_version_is_not_stored(
        self,
        client: httpx2.AsyncClient,
        caller: Caller,
        namespace: str,
        signer: Signer,
        database: Database,
        blobs: LocalBlobStore,
    ) -> None:
        release, other = Release(signer), Signer()
        await add_key(client, caller, namespace, other)
        first = await publish(client, caller, PROVIDERS, a_provider(namespace, release))
        before = await stored(database, caller, blobs)
        files = release.files(signature=other.sign(release.checksums))
        again = await publish(client, caller, PROVIDERS, a_provider(namespace, release, files))
        assert (again.status_code, again.json()) == (200, first.json())
        assert await stored(database, caller, blobs) == before

    async def test_a_version_whose_key_was_revoked_is_not_published_again(
        self, client: httpx2.AsyncClient, caller: Caller, namespace: str
    ) -> None:
        first, second = Signer(), Signer()
        key = await add_key(client, caller, namespace, first)
        await publish(client, caller, PROVIDERS, a_provider(namespace, Release(first)))
        await client.delete(f"{NAMESPACES}/{namespace}/gpg-keys/{key['id']}", headers=caller.headers)
        await add_key(client, caller, namespace, second)
        answer = await publish(client, caller, PROVIDERS, a_provider(namespace, Release(second)))
        assert (answer.status_code, answer.json()["code"]) == (409, "registry.version_refused")
        assert "publish the next version" in answer.json()["detail"]

    async def test_other_files_for_a_published_version_are_a_conflict(
        self,
        client: httpx2.AsyncClient,
        caller: Caller,
        namespace: str,
        signer: Signer,
        database: Database,
        blobs: LocalBlobStore,
    ) -> None:
        await publish(client, caller, PROVIDERS, a_provider(namespace, Release(signer)))
        before = await stored(database, caller, blobs)
        other = Release(signer, packages={LINUX: a_provider_zip(content=b"other")})
        answer = await publish(client, caller, PROVIDERS, a_provider(namespace, other))
        assert (answer.status_code, answer.json()["code"]) == (409, "registry.version_exists")
        assert await stored(database, caller, blobs) == before

    async def test_of_twenty_at_once_with_one_version_one_publishes(
        self, client: httpx2.AsyncClient, caller: Caller, namespace: str, signer: Signer
    ) -> None:
        releases = [Release(signer, packages={LINUX: a_provider_zip(content=bytes([n]))}) for n in range(20)]
        answers = await asyncio.gather(
            *(publish(client, caller, PROVIDERS, a_provider(namespace, release)) for release in releases)
        )
        assert sorted(answer.status_code for answer in answers) == [201] + [409] * 19
        listed = (await client.get(PROVIDERS, headers=caller.headers)).json()["items"]
        assert [(item["type"], item["latest_version"]) for item in listed] == [("time", "0.1.0")]

    async def test_nothing_is_visible_before_the_last_byte(
        self, client: httpx2.AsyncClient, caller: Caller, namespace: str, signer: Signer
    ) -> None:
        form = a_provider(namespace, Release(signer))
        request = client.build_request("POST", PROVIDERS, headers=caller.headers, **form.request)  # type: ignore[arg-type]
        whole = await request.aread()
        seen: list[int] = []

        async def slowly() -> AsyncIterator[bytes]:
            for start in range(0, len(whole), 400):
                path = f"/v1/providers/{namespace}/time/versions"
                seen.append((await client.get(path, headers=caller.headers)).status_code)
                yield whole[start : start + 400]

        headers = {**caller.headers, "Content-Type": request.headers["content-type"]}
        answer = await client.post(PROVIDERS, content=slowly(), headers=headers)
        assert answer.status_code == 201
        assert set(seen) == {404}
        assert len(seen) > 3

    async def test_is_written_to_the_audit_log(
        self, client: httpx2.AsyncClient, caller: Caller, namespace: str, signer: Signer, database: Database
    ) -> None:
        published = (await publish(client, caller, PROVIDERS, a_provider(namespace, Release(signer)))).json()
        async with database.transaction(caller.scope) as session:
            found = await session.execute(
                text("SELECT target FROM audit_event WHERE action = 'registry.provider_published'")
            )
            assert [row.target["id"] for row in found] == [published["id"]]


def swapped(files: list[tuple[str, bytes]], at: int, content: bytes) -> list[tuple[str, bytes]]:
    return [*files[:at], (files[at][0], content), *files[at + 1 :]]


class TestRefusedReleases:
    async def refuse(
        self,
        client: httpx2.AsyncClient,
        caller: Caller,
        database: Database,
        blobs: LocalBlobStore,
        form: Form,
    ) -> tuple[int, str]:
        """Publish, and see that nothing was stored; give status and code."""
        before = await stored(database, caller, blobs)
        answer = await publish(client, caller, PROVIDERS, form)
        assert await stored(database, caller, blobs) == before
        return answer.status_code, answer.json()["code"]

    @pytest.mark.parametrize(
        ("kind", "code"),
        [
            ("of a stranger", "registry.signature_key_unknown"),
            ("of other bytes", "registry.signature_mismatch"),
            ("armored", "registry.signature_malformed"),
            ("inline", "registry.signature_malformed"),
            ("cut", "registry.signature_malformed"),
            ("empty", "registry.signature_malformed"),
            ("twice", "registry.signature_malformed"),
            ("random", "registry.signature_malformed"),
        ],
    )
    async def test_attack_13_forged_signatures(
        self,
        client: httpx2.AsyncClient,
        caller: Caller,
        namespace: str,
        signer: Signer,
        database: Database,
        blobs: LocalBlobStore,
        kind: str,
        code: str,
    ) -> None:
        release = Release(signer)
        good = signer.sign(release.checksums)
        forged = {
            "of a stranger": Signer().sign(release.checksums),
            "of other bytes": signer.sign(release.checksums + b"\n"),
            "armored": signer.sign(release.checksums, armor=True),
            "inline": b"\x90" + release.checksums,
            "cut": good[:-10],
            "empty": b"",
            "twice": good + good,
            "random": bytes(range(128, 256)),
        }[kind]
        form = a_provider(namespace, release, release.files(signature=forged))
        refused = await self.refuse(client, caller, database, blobs, form)
        assert refused == (422, code)

    @pytest.mark.parametrize(
        ("has_signed", "code"),
        [(False, "registry.signature_key_unknown"), (True, "registry.signature_key_revoked")],
    )
    async def test_attack_13_a_key_that_was_taken_out_of_use(
        self,
        client: httpx2.AsyncClient,
        caller: Caller,
        namespace: str,
        database: Database,
        blobs: LocalBlobStore,
        *,
        has_signed: bool,
        code: str,
    ) -> None:
        other = Signer()
        key = await add_key(client, caller, namespace, other)
        if has_signed:
            await publish(client, caller, PROVIDERS, a_provider(namespace, Release(other, version="9.0.0")))
        await client.delete(f"{NAMESPACES}/{namespace}/gpg-keys/{key['id']}", headers=caller.headers)
        form = a_provider(namespace, Release(other))
        refused = await self.refuse(client, caller, database, blobs, form)
        assert refused == (422, code)

    @pytest.mark.parametrize(
        ("bend", "code"),
        [
            (lambda sums: sums + b"\n", "registry.checksums_invalid"),
            (lambda sums: sums.replace(b"  ", b" *"), "registry.checksums_invalid"),
            (lambda sums: sums.replace(b"\n", b"\r\n"), "registry.checksums_invalid"),
            (lambda sums: sums.upper(), "registry.checksums_invalid"),
            (lambda sums: sums + sums, "registry.checksums_invalid"),
            (lambda sums: sums.replace(b"  ", b"  ../"), "registry.checksums_invalid"),
            (lambda _: b"", "registry.checksums_invalid"),
            (lambda sums: b"0" * 64 + sums[64:], "registry.checksum_mismatch"),
            (lambda sums: sums[: sums.index(b"\n") + 1], "registry.checksum_mismatch"),
            (lambda sums: sums[sums.index(b"\n") + 1 :], "registry.release_incomplete"),
        ],
    )
    async def test_attack_14_checksums(
        self,
        client: httpx2.AsyncClient,
        caller: Caller,
        namespace: str,
        signer: Signer,
        database: Database,
        blobs: LocalBlobStore,
        bend: object,
        code: str,
    ) -> None:
        assert callable(bend)
        release = Release(signer)
        form = a_provider(namespace, release, release.files(checksums=bend(release.checksums)))
        assert await self.refuse(client, caller, database, blobs, form) == (422, code)

    @pytest.mark.parametrize(
        ("bend", "code"),
        [
            (lambda files: files[:-1], "registry.release_incomplete"),
            (lambda files: [*files, files[-1]], "registry.checksum_mismatch"),
            (lambda files: [*files, ("x.zip", b"")], "registry.checksum_mismatch"),
            (lambda files: swapped(files, 3, a_provider_zip(content=b"other")), "registry.checksum_mismatch"),
            (lambda files: swapped(files, 2, b"{}"), "registry.checksum_mismatch"),
            (lambda files: [files[1], files[0], *files[2:]], "registry.upload_invalid"),
            (lambda files: [files[0], *files[2:]], "registry.upload_invalid"),
            (lambda files: files[:1], "registry.upload_invalid"),
            (lambda files: [("../SHA256SUMS", files[0][1]), *files[1:]], "registry.upload_invalid"),
            (lambda files: swapped(files, 0, b"x" * 100_000), "registry.upload_too_large"),
        ],
    )
    async def test_files_that_are_missing_changed_or_in_another_order(
        self,
        client: httpx2.AsyncClient,
        caller: Caller,
        namespace: str,
        signer: Signer,
        database: Database,
        blobs: LocalBlobStore,
        bend: object,
        code: str,
    ) -> None:
        assert callable(bend)
        release = Release(signer)
        form = a_provider(namespace, release, bend(release.files()))
        assert (await self.refuse(client, caller, database, blobs, form))[1] == code

    @pytest.mark.parametrize(
        ("package", "code"),
        [
            (b"no zip", "registry.archive_unreadable"),
            (a_provider_zip("random"), "registry.not_a_provider"),
            (a_zip({"terraform-provider-time_v0.1.0": "x"}), "registry.not_a_provider"),
        ],
    )
    async def test_packages_that_no_tool_should_unpack(
        self,
        client: httpx2.AsyncClient,
        caller: Caller,
        namespace: str,
        signer: Signer,
        database: Database,
        blobs: LocalBlobStore,
        package: bytes,
        code: str,
    ) -> None:
        form = a_provider(namespace, Release(signer, packages={MAC: a_provider_zip(), LINUX: package}))
        assert await self.refuse(client, caller, database, blobs, form) == (422, code)

    @pytest.mark.parametrize("protocols", [(), ("five",), ("5",), ("5.0.0",), ("0.1",)])
    async def test_manifests_that_name_no_protocol(
        self,
        client: httpx2.AsyncClient,
        caller: Caller,
        namespace: str,
        signer: Signer,
        database: Database,
        blobs: LocalBlobStore,
        protocols: tuple[str, ...],
    ) -> None:
        form = a_provider(namespace, Release(signer, protocols=protocols))
        refused = await self.refuse(client, caller, database, blobs, form)
        assert refused == (422, "registry.manifest_invalid")

    @pytest.mark.parametrize(
        ("bent", "status", "code"),
        [
            ({"type": "terraform-provider-time"}, 422, "registry.name_invalid"),
            ({"namespace": "nobody-has-claimed-this"}, 404, "registry.namespace_not_found"),
        ],
    )
    async def test_names_before_the_first_file(
        self,
        client: httpx2.AsyncClient,
        caller: Caller,
        namespace: str,
        signer: Signer,
        database: Database,
        blobs: LocalBlobStore,
        bent: dict[str, str],
        status: int,
        code: str,
    ) -> None:
        form = a_provider(namespace, Release(signer))
        bent_form = Form({**form.fields, **bent}, form.files)
        assert await self.refuse(client, caller, database, blobs, bent_form) == (status, code)

    async def test_an_upload_that_breaks_off(
        self,
        client: httpx2.AsyncClient,
        caller: Caller,
        namespace: str,
        signer: Signer,
        database: Database,
        blobs: LocalBlobStore,
    ) -> None:
        form = a_provider(namespace, Release(signer))
        request = client.build_request("POST", PROVIDERS, headers=caller.headers, **form.request)  # type: ignore[arg-type]
        whole = await request.aread()
        before = await stored(database, caller, blobs)
        headers = {**caller.headers, "Content-Type": request.headers["content-type"]}
        for end in range(0, len(whole) - 3, 150):
            answer = await client.post(PROVIDERS, content=whole[:end], headers=headers)
            assert answer.status_code == 422, end
        assert await stored(database, caller, blobs) == before


class TestListProviders:
    async def test_shows_the_latest_that_can_be_installed(
        self, client: httpx2.AsyncClient, caller: Caller, namespace: str, signer: Signer
    ) -> None:
        other = Signer()
        key = await add_key(client, caller, namespace, other)

        async def latest() -> object:
            [listed] = (await client.get(PROVIDERS, headers=caller.headers)).json()["items"]
            return listed["latest_version"]

        await publish(client, caller, PROVIDERS, a_provider(namespace, Release(other, version="2.0.0")))
        assert await latest() == "2.0.0"
        await client.delete(f"{NAMESPACES}/{namespace}/gpg-keys/{key['id']}", headers=caller.headers)
        assert await latest() is None
        await publish(client, caller, PROVIDERS, a_provider(namespace, Release(signer, version="1.0.0")))
        assert await latest() == "1.0.0"


class TestListVersions:
    async def test_tells_the_platforms_of_releases_that_a_server_of_the_release_before_published(
        self, client: httpx2.AsyncClient, caller: Caller, namespace: str, signer: Signer, owner: AsyncEngine
    ) -> None:
        for version in ("1.0.0", "1.1.0"):
            await publish(client, caller, PROVIDERS, a_provider(namespace, Release(signer, version=version)))
        async with owner.begin() as connection:
            await connection.execute(
                text(
                    "UPDATE provider_version SET platforms = '{}' WHERE organization_id = :id AND version = :old"
                ),
                {"id": caller.scope.organization_id, "old": "1.0.0"},
            )
        shown = (await client.get(f"/v1/providers/{namespace}/time/versions", headers=caller.headers)).json()
        platforms = [{"os": "linux", "arch": "amd64"}]
        assert {each["version"]: each["platforms"] for each in shown["versions"]} == {
            "1.0.0": platforms,
            "1.1.0": platforms,
        }
