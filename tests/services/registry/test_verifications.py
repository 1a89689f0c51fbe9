"""Checking a published release again: what counts against it, and that nothing that was asked for is forgotten."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import httpx2
import pytest
import structlog
from asgi_lifespan import LifespanManager
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from api.app import create_app
from config.secrets import Secrets
from domain.errors import Unavailable
from domain.ids import new_id
from domain.registry.names import ProviderAddress
from domain.registry.providers import ReleaseNames
from domain.registry.verifications import (
    VerificationReference,
    VerificationReport,
    VerificationResult,
)
from domain.registry.withdrawals import Refusal
from services.all import Services
from services.registry.verifier import ReleaseVerifier, StoredRelease
from storage.blobs.s3 import S3BlobStore
from storage.database import Database
from tests.factories.organizations import Caller
from tests.factories.registry import (
    LINUX,
    NAMESPACES,
    PROVIDERS,
    Release,
    a_provider,
    add_key,
    claim_namespace,
    publish,
)
from tests.factories.services import make_services
from tests.factories.stored_releases import Published, ignored
from tests.fixtures.archives import a_provider_zip
from tests.fixtures.queries import counted_queries
from tests.fixtures.s3 import S3Server
from tests.fixtures.signing import Signer, a_gpg

pytestmark = pytest.mark.servers

SIGNER = Signer()
VERSION = "0.1.0"
over_both = pytest.mark.parametrize("registry", ["over_a_folder", "over_a_bucket"], indirect=True)


@dataclass(frozen=True, slots=True)
class Registry:
    """The product over one store of blobs."""

    client: httpx2.AsyncClient
    services: Services
    blob_folder: Path


@pytest.fixture(scope="module")
async def over_a_bucket(
    database: Database, secrets: Secrets, s3: S3Server, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Registry]:
    """Run the product over a bucket that clients may read themselves."""
    bucket = await s3.make_bucket()
    store = S3BlobStore(tmp_path_factory.mktemp("blobs"), bucket, gives_addresses=True)
    services = make_services(database, secrets, store)
    async with (
        LifespanManager(create_app(services)) as running,
        httpx2.AsyncClient(transport=httpx2.ASGITransport(app=running.app), base_url="http://test") as client,
    ):
        yield Registry(client, services, s3.folder_of(bucket))


@pytest.fixture(scope="module")
def over_a_folder(client: httpx2.AsyncClient, services: Services, blob_folder: Path) -> Registry:
    """Give the product that all tests share."""
    return Registry(client, services, blob_folder)


@pytest.fixture
def registry(request: pytest.FixtureRequest) -> Registry:
    """Give the product over a local folder, unless the test asks for another store."""
    made: Registry = request.getfixturevalue(getattr(request, "param", "over_a_folder"))
    return made


@pytest.fixture
async def published(registry: Registry, caller: Caller) -> Published:
    """Publish a release whose bytes no other test has."""
    client = registry.client
    namespace = await claim_namespace(client, caller)
    key = await add_key(client, caller, namespace, SIGNER)
    release = Release(SIGNER, packages={LINUX: a_provider_zip(content=new_id().bytes)})
    form = a_provider(namespace, release)
    answer = await publish(client, caller, PROVIDERS, form)
    assert answer.status_code == 201, answer.text
    address = ProviderAddress(namespace, "time")
    return Published(client, registry.services, caller, address, str(key["id"]), registry.blob_folder, form)


class TestPerform:
    async def test_reads_every_file_and_finds_what_was_published(self, published: Published) -> None:
        reference, heard = await published.ask(), []
        report = await published.services.registry.verifications.perform(
            reference, alive=lambda: heard.append("a piece")
        )
        assert report == VerificationReport(result=VerificationResult.VERIFIED)
        first, second = await published.found()
        assert len(heard) == len(second.files) == 4
        assert second.id == reference.verification_id
        assert second == first.model_copy(update={"id": second.id, "checked_at": second.checked_at})
        assert second.checked_at > first.checked_at

    async def test_what_is_as_good_as_before_leaves_kept_answers_kept(
        self, published: Published, database: Database
    ) -> None:
        await published.listed()
        await published.check()
        with counted_queries(database) as statements:
            assert await published.listed() == [VERSION]
        assert statements == []

    async def test_what_was_made_is_told_of_again_and_not_made_anew(self, published: Published) -> None:
        reference = await published.ask()
        perform = published.services.registry.verifications.perform
        at_once = await asyncio.gather(*(perform(reference, alive=ignored) for _ in range(5)))
        assert {*at_once, await perform(reference, alive=ignored)} == {at_once[0]}
        assert len(await published.found()) == 2

    async def test_of_a_release_that_is_gone_there_is_nothing_to_tell(self, published: Published) -> None:
        reference = VerificationReference(
            organization_id=published.caller.organization.id, verification_id=new_id()
        )
        perform = published.services.registry.verifications.perform
        assert await perform(reference, alive=ignored) == VerificationReport()

    @over_both
    async def test_a_changed_package_is_not_served_until_it_verifies_again(self, published: Published) -> None:
        assert await published.listed() == [VERSION]
        package = (await published.found())[0].files[-1]
        file = published.file(package.sha256)
        content = file.read_bytes()
        other = content[:-1] + b"x"
        file.write_bytes(other)
        before = (await published.services.operations.measure()).refused
        with structlog.testing.capture_logs() as lines:
            refused, again = await published.check(), await published.check()
        assert again.result is refused.result
        [line] = [line for line in lines if line["event"] == "release_refused"]
        assert (line["provider"], line["version"]) == (str(published.address), VERSION)
        assert (line["code"], line["reason"]) == (refused.code, refused.reason)
        after = (await published.services.operations.measure()).refused
        assert after == replace(before, by_verification=before.by_verification + 1)
        assert (refused.result, refused.code) == (VerificationResult.REFUSED, "registry.stored_file_changed")
        assert refused.reason is not None
        assert f"{package.name} is not what was published" in refused.reason
        assert refused.evidence is not None  # the signature is as good as ever
        assert [each.is_unchanged for each in refused.files] == [True, True, True, False]
        assert refused.files[-1].found_sha256 == hashlib.sha256(other).hexdigest()
        assert (await published.listed(), await published.latest()) == ([], None)
        assert await published.warnings() == [f"{VERSION} is refused, so no longer offered: {refused.reason}"]
        assert (await published.release()).refusal == Refusal(reason=refused.reason, refused_at=again.checked_at)
        download = await published.download()
        assert download.status_code == 404
        assert refused.reason in download.json()["errors"][0]

        file.write_bytes(content)
        assert (await published.check()).result is VerificationResult.VERIFIED
        assert (await published.listed(), await published.latest()) == ([VERSION], VERSION)

    async def test_one_that_is_refused_for_another_reason_is_told_of_anew(self, published: Published) -> None:
        *_, manifest, package = [published.file(each.sha256) for each in (await published.found())[0].files]
        content = package.read_bytes()
        package.write_bytes(b"x")
        first = await published.check()
        assert await published.warnings() == [f"{VERSION} is refused, so no longer offered: {first.reason}"]
        package.write_bytes(content)
        manifest.write_bytes(b"x")
        with structlog.testing.capture_logs() as lines:
            second = await published.check()
        assert second.reason != first.reason
        assert await published.warnings() == [f"{VERSION} is refused, so no longer offered: {second.reason}"]
        assert [line["reason"] for line in lines if line["event"] == "release_refused"] == [second.reason]

    async def test_the_same_files_again_verify_what_was_refused(
        self, published: Published, database: Database
    ) -> None:
        package = (await published.found())[0].files[-1]
        published.file(package.sha256).write_bytes(b"x")
        await published.check()
        assert await published.listed() == []
        again = await publish(published.client, published.caller, PROVIDERS, published.form)
        assert again.status_code == 200
        assert [each.result.value for each in await published.found()] == ["verified", "refused", "verified"]
        assert (await published.listed(), await published.latest()) == ([VERSION], VERSION)
        async with database.transaction(published.caller.scope) as session:
            outcomes = text(
                "SELECT outcome FROM audit_event WHERE action = 'registry.provider_verified' ORDER BY id"
            )
            assert list(await session.scalars(outcomes)) == ["failure", "success"]

    @over_both
    @pytest.mark.parametrize("damage", ["the signature", "a package", "the signature, and checked since"])
    async def test_another_good_signature_takes_the_place_of_one_that_is_lost_or_refused(
        self, published: Published, damage: str
    ) -> None:
        checksums, signature, _, package = (await published.found())[0].files
        published.file(package.sha256 if damage == "a package" else signature.sha256).write_bytes(b"x")
        if damage != "the signature":
            await published.check()
            assert await published.listed() == []
        else:
            await published.download()  # which is kept
        answer = await published.publish_signed_by(Signer())
        assert answer.status_code == 200, answer.text
        assert await published.listed() == [VERSION]
        told = (await published.download()).json()
        for file, address in ((checksums, "shasums_url"), (package, "download_url")):
            assert file.sha256 in told[address]
        assert signature.sha256 not in told["shasums_signature_url"]
        sent = await published.client.get(told["shasums_signature_url"], follow_redirects=False)
        assert sent.status_code in {200, 307}
        last = (await published.found())[-1]
        assert (last.result, {each.is_unchanged for each in last.files}) == (VerificationResult.VERIFIED, {True})
        assert last.evidence is not None
        [key] = told["signing_keys"]["gpg_public_keys"]
        assert last.evidence.key_fingerprint.endswith(key["key_id"].lower())
        assert last.files[1].sha256 in told["shasums_signature_url"]
        assert (await published.check()).evidence == last.evidence

    async def test_the_release_shows_the_tools_of_its_last_check(
        self, published: Published, owner: AsyncEngine
    ) -> None:
        async with owner.begin() as connection:
            await connection.execute(
                text(
                    "UPDATE provider_version SET evidence = "
                    """jsonb_set(evidence, '{verified_by}', '{"gpg": "1.4"}') WHERE organization_id = :id"""
                ),
                {"id": published.caller.organization.id},
            )
        await published.check()
        found = await published.services.registry.providers.get(published.caller.scope, published.address, VERSION)
        assert found.release.evidence.verified_by == (await published.found())[-1].checked_by

    @over_both
    @pytest.mark.parametrize("lost", [0, 1, 2, 3])
    async def test_a_file_that_is_lost_is_not_held_against_the_release(
        self, published: Published, lost: int
    ) -> None:
        files = (await published.found())[0].files
        file = files[lost]
        published.file(file.sha256).unlink()
        checked = await published.check()
        assert (checked.result, checked.code) == (VerificationResult.INCOMPLETE, "registry.stored_file_lost")
        assert checked.reason is not None
        assert f"could not be verified: {file.name} is gone" in checked.reason
        is_signed = file not in files[:2]
        assert (checked.evidence is not None) == is_signed, "nobody else is shown to have signed"
        assert set(checked.checked_by) == {"pysequoia", "gpg"}
        assert checked.files[lost].found_sha256 is None
        assert (await published.listed(), await published.latest()) == ([VERSION], VERSION)

        await published.revoke_key()
        assert (await published.check()).result == ("refused" if is_signed else "incomplete")

    @pytest.mark.parametrize("lost", [1, 3])
    async def test_a_file_that_is_lost_speaks_for_no_other(self, published: Published, lost: int) -> None:
        files = (await published.found())[0].files
        changed = files[0] if lost == len(files) - 1 else files[-1]
        content = published.file(changed.sha256).read_bytes()
        published.file(changed.sha256).write_bytes(b"x")
        published.file(files[lost].sha256).unlink()
        assert (await published.check()).code == "registry.stored_file_changed"
        published.file(changed.sha256).write_bytes(content)
        assert (await published.check()).code == "registry.stored_file_lost"
        assert await published.listed() == [], "it was refused before, and nothing says more for it now"

    async def test_a_key_that_was_revoked_since_no_longer_counts(self, published: Published) -> None:
        before = (await published.services.operations.measure()).refused
        with structlog.testing.capture_logs() as lines:
            await published.revoke_key()
            await published.revoke_key()
        [line] = [line for line in lines if line["event"] == "release_refused"]
        assert (line["provider"], line["version"]) == (str(published.address), VERSION)
        assert line["code"] == "registry.signature_key_revoked"
        after = (await published.services.operations.measure()).refused
        assert after == replace(before, by_key=before.by_key + 1)
        refusal = (await published.release()).refusal
        assert refusal is not None
        assert "was revoked; use a version that another key signed" in refusal.reason
        assert await published.warnings() == [f"{VERSION} is refused, so no longer offered: {refusal.reason}"]
        refused = await published.check()
        assert (refused.code, refused.evidence) == ("registry.signature_key_revoked", None)
        download = await published.download()
        assert "this key was revoked here" in download.json()["errors"][0]

    async def test_a_key_that_is_revoked_while_it_reads_no_longer_counts(
        self, published: Published, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        read = ReleaseVerifier.read

        async def read_meanwhile(
            self: ReleaseVerifier, names: ReleaseNames, files: Mapping[str, str], *, alive: Callable[[], None]
        ) -> StoredRelease:
            stored = await read(self, names, files, alive=alive)
            await published.revoke_key()
            return stored

        monkeypatch.setattr(ReleaseVerifier, "read", read_meanwhile)
        assert (await published.check()).code == "registry.signature_key_revoked"

    @pytest.mark.parametrize("lost", [1, 2, 3])
    async def test_what_is_published_again_while_it_reads_is_read_again(
        self, published: Published, monkeypatch: pytest.MonkeyPatch, lost: int
    ) -> None:
        read, has_read, is_mended = ReleaseVerifier.read, asyncio.Event(), asyncio.Event()

        async def read_slowly(
            self: ReleaseVerifier, names: ReleaseNames, files: Mapping[str, str], *, alive: Callable[[], None]
        ) -> StoredRelease:
            stored = await read(self, names, files, alive=alive)
            has_read.set()
            await is_mended.wait()
            return stored

        monkeypatch.setattr(ReleaseVerifier, "read", read_slowly)
        published.file((await published.found())[0].files[lost].sha256).unlink()
        checking = asyncio.create_task(published.check())
        await has_read.wait()
        again = await published.publish_signed_by(Signer())
        assert again.status_code == 200, again.text
        is_mended.set()
        checked = await checking
        assert (checked.result, checked.code) == (VerificationResult.VERIFIED, None)
        assert await published.listed() == [VERSION]

    async def test_is_held_to_the_key_as_it_is_today(self, published: Published) -> None:
        namespace = published.address.namespace
        path = f"{NAMESPACES}/{namespace}/gpg-keys"
        headers = published.caller.headers
        with a_gpg() as gpg:
            key = gpg.make_key("ed25519", at="20240101T000000")
            answer = await published.client.post(path, json={"ascii_armor": gpg.public(key)}, headers=headers)
            assert answer.status_code == 201
            release = Release(SIGNER, type="clock", packages={LINUX: a_provider_zip("clock")})
            signature = gpg.sign(release.checksums, at="20240901T000000")
            form = a_provider(namespace, release, release.files(signature=signature))
            assert (await publish(published.client, published.caller, PROVIDERS, form)).status_code == 201
            gpg.run("--quick-set-expire", key, "2024-06-01", at="20240601T000000")
            answer = await published.client.post(path, json={"ascii_armor": gpg.public(key)}, headers=headers)
            assert answer.status_code == 200
        clock = replace(published, address=ProviderAddress(namespace, "clock"))
        assert (await clock.check()).code == "registry.signature_key_expired"

    async def test_a_package_that_the_sums_do_not_name_so_is_refused(
        self, published: Published, owner: AsyncEngine
    ) -> None:
        sums = (await published.found())[0].files[0]
        async with owner.begin() as connection:
            await connection.execute(
                text("UPDATE provider_platform SET sha256 = :sha256 WHERE organization_id = :id"),
                {"sha256": sums.sha256, "id": published.caller.organization.id},
            )
        assert (await published.check()).code == "registry.checksum_mismatch"

    async def test_a_store_that_is_away_is_not_held_against_the_release(self, published: Published) -> None:
        reference = await published.ask()
        kept = published.blob_folder / "sha256"
        away = kept.rename(published.blob_folder / "away")
        try:
            with pytest.raises(Unavailable):
                await published.services.registry.verifications.perform(reference, alive=ignored)
        finally:
            away.rename(kept)
        assert len(await published.found()) == 1
        assert await published.listed() == [VERSION]
        report = await published.services.registry.verifications.perform(reference, alive=ignored)
        assert report.result is VerificationResult.VERIFIED


class TestLookAfter:
    @pytest.fixture(autouse=True)
    async def alone(self, owner: AsyncEngine) -> None:
        """Begin without what others asked for: what is looked after is everybody's."""
        async with owner.begin() as connection:
            await connection.execute(text("DELETE FROM verification_request"))
            await connection.execute(text("DELETE FROM outbox"))

    async def test_wakes_what_should_have_been_made_and_nothing_else(
        self, published: Published, services: Services, owner: AsyncEngine
    ) -> None:
        reference = await published.ask()
        area = services.areas["registry.verifications"]
        assert (await area.look_after()).done == {}
        async with owner.begin() as connection:  # it was delivered long ago, and its workflow is gone
            await connection.execute(text("DELETE FROM outbox"))
            await connection.execute(text("UPDATE verification_request SET due_at = now() - interval '2 minutes'"))
        assert (await area.look_after()).done == {"woken": 1}
        assert (await area.look_after()).done == {}  # it has another minute
        async with owner.begin() as connection:
            assert await connection.scalar(text("SELECT workflow_id FROM outbox")) == reference.workflow_id

    async def test_one_is_unfinished_until_it_is_made(self, published: Published, services: Services) -> None:
        reference = await published.ask()
        area = services.areas["registry.verifications"]
        asked = (reference.organization_id, str(reference.verification_id))
        assert await area.is_unfinished(*asked)
        await services.registry.verifications.perform(reference, alive=ignored)
        assert not await area.is_unfinished(*asked)


class TestOtherOrganizations:
    async def test_have_their_own_checks(
        self, published: Published, make_caller: Callable[[], Awaitable[Caller]]
    ) -> None:
        stranger = await make_caller()
        reference = await published.ask()
        stolen = reference.model_copy(update={"organization_id": stranger.organization.id})
        perform = published.services.registry.verifications.perform
        assert await perform(stolen, alive=ignored) == VerificationReport()
        assert (await perform(reference, alive=ignored)).result is VerificationResult.VERIFIED
