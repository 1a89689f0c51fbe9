"""What a published module declares: read once, shown to its readers, never in the way of installing it."""

import asyncio
import errno
import hashlib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from uuid import UUID

import httpx2
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from domain.errors import ToolMissing, Unavailable
from domain.ids import new_id
from domain.registry.documents import Documents, DocumentsState, VersionReference
from domain.registry.errors import DocumentsUnreadable
from services.all import Services
from services.changes import Changes
from services.registry.documents import ModuleDocuments
from storage.blobs.store import key_of
from storage.database import Database
from tests.factories.organizations import Caller
from tests.factories.registry import MODULES, a_module, claim_namespace, publish
from tests.fixtures.archives import a_tar_gz

pytestmark = pytest.mark.servers

ANOTHER_VERSION = """
INSERT INTO module_version
    (id, version, organization_id, module_id, description, sha256, size, format, published_by)
SELECT :id, '0.0.1', organization_id, module_id, description, sha256, size, format, published_by
FROM module_version
"""
ITS_ROW = """
INSERT INTO module_documents (organization_id, module_version_id, state, due_at)
SELECT organization_id, :id, 'pending', now() FROM module_version WHERE id = :id
"""
UNREADABLE = {"main.tf": 'variable "x" {'}


class Version:
    """A version of a module that a caller has published."""

    def __init__(self, client: httpx2.AsyncClient, caller: Caller, shown: Mapping[str, str]) -> None:
        self._client = client
        self._caller = caller
        self.reference = VersionReference(
            organization_id=caller.organization.id, module_version_id=UUID(shown["id"])
        )
        self.address = "/".join(shown[part] for part in ("namespace", "name", "system", "version"))

    @classmethod
    async def publish(cls, client: httpx2.AsyncClient, caller: Caller, archive: bytes | None = None) -> "Version":
        namespace = await claim_namespace(client, caller)
        answer = await publish(client, caller, MODULES, a_module(namespace, archive=archive))
        return cls(client, caller, answer.json())

    async def documents(self) -> dict[str, object]:
        answer = await self._client.get(f"{MODULES}/{self.address}/documents", headers=self._caller.headers)
        assert answer.status_code == 200
        shown: dict[str, object] = answer.json()
        return shown

    async def ask_again(self) -> None:
        answer = await self._client.post(f"{MODULES}/{self.address}/documents", headers=self._caller.headers)
        assert (answer.status_code, answer.json()["state"]) == (202, "pending")


@pytest.fixture
def documents(services: Services) -> ModuleDocuments:
    return services.registry.documents


class TestRead:
    async def test_shows_what_is_declared_and_who_read_it(
        self, client: httpx2.AsyncClient, caller: Caller, documents: ModuleDocuments
    ) -> None:
        version = await Version.publish(client, caller)
        assert (await version.documents())["state"] == "pending"
        assert (await documents.read(version.reference)).state is DocumentsState.READY
        shown = await version.documents()
        assert shown["state"] == "ready"
        found = shown["documents"]
        assert isinstance(found, dict)
        assert [each["name"] for each in found["root"]["outputs"]] == ["greeting"]
        assert [each["path"] for each in found["submodules"]] == ["modules/inner"]
        assert re.fullmatch(r"OpenTofu \d+\.\d+\.\d+", str(shown["reader"]))
        assert shown["read_at"]

    async def test_of_what_can_not_be_read_says_why_and_leaves_it_installable(
        self, client: httpx2.AsyncClient, caller: Caller, documents: ModuleDocuments
    ) -> None:
        version = await Version.publish(client, caller, a_tar_gz(UNREADABLE))
        assert (await documents.read(version.reference)).state is DocumentsState.UNREADABLE
        shown = await version.documents()
        assert (shown["state"], shown["documents"]) == ("unreadable", None)
        assert "Unclosed configuration block on main.tf line 1" in str(shown["reason"])
        answer = await client.get(f"/v1/modules/{version.address}/download", headers=caller.headers)
        assert answer.status_code == 200

    async def test_again_reads_nothing(
        self,
        client: httpx2.AsyncClient,
        caller: Caller,
        documents: ModuleDocuments,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        version = await Version.publish(client, caller)
        first = await documents.read(version.reference)
        monkeypatch.setattr(documents, "_find_reader", lambda: pytest.fail("it was read again"))
        assert await documents.read(version.reference) == first

    async def test_of_two_at_once_one_counts_and_is_told_of(
        self,
        client: httpx2.AsyncClient,
        caller: Caller,
        documents: ModuleDocuments,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        version = await Version.publish(client, caller)
        changes = Changes()
        told: list[UUID | None] = []
        changes.subscribe(told.append)
        monkeypatch.setattr(documents, "_changes", changes)
        first, second = await asyncio.gather(*(documents.read(version.reference) for _ in range(2)))
        assert first == second
        assert told == [caller.organization.id]

    async def test_of_a_version_from_before_a_row_was_added_for_each_waits_for_one(
        self, client: httpx2.AsyncClient, caller: Caller, documents: ModuleDocuments, owner: AsyncEngine
    ) -> None:
        version = await Version.publish(client, caller)
        async with owner.begin() as connection:
            gone = text("DELETE FROM module_documents WHERE module_version_id = :id")
            await connection.execute(gone, {"id": version.reference.module_version_id})
        assert (await documents.read(version.reference)).state is DocumentsState.PENDING
        assert (await version.documents())["state"] == "pending"

    @pytest.mark.parametrize("left", [None, b"other bytes"], ids=["gone", "damaged"])
    async def test_of_an_archive_that_is_lost_says_so_until_it_is_restored(
        self,
        client: httpx2.AsyncClient,
        caller: Caller,
        documents: ModuleDocuments,
        blob_folder: Path,
        left: bytes | None,
    ) -> None:
        archive = a_tar_gz({"main.tf": f"# {new_id()}"})
        version = await Version.publish(client, caller, archive)
        file = blob_folder / key_of(hashlib.sha256(archive).hexdigest())
        file.unlink()
        if left is not None:
            file.write_bytes(left)
        assert (await documents.read(version.reference)).state is DocumentsState.UNREADABLE
        assert "have it restored" in str((await version.documents())["reason"])
        file.write_bytes(archive)
        await version.ask_again()
        assert (await documents.read(version.reference)).state is DocumentsState.READY

    @pytest.mark.parametrize("hindrance", [None, ToolMissing("tofu is not here")], ids=["code", "tool"])
    async def test_writes_nothing_of_before_somebody_had_it_read_once_more(
        self,
        client: httpx2.AsyncClient,
        caller: Caller,
        documents: ModuleDocuments,
        monkeypatch: pytest.MonkeyPatch,
        hindrance: ToolMissing | None,
    ) -> None:
        version = await Version.publish(client, caller)
        read = documents._read_here

        async def asked_meanwhile(*_: object) -> Documents:
            monkeypatch.setattr(documents, "_read_here", read)
            await version.ask_again()
            raise hindrance or DocumentsUnreadable("the archive is gone")

        monkeypatch.setattr(documents, "_read_here", asked_meanwhile)
        if hindrance is None:
            assert (await documents.read(version.reference)).state is DocumentsState.READY
        else:
            with pytest.raises(ToolMissing):
                await documents.read(version.reference)
            shown = await version.documents()
            assert (shown["state"], shown["reason"]) == ("pending", None)

    async def test_without_the_tool_it_stays_to_be_done(
        self,
        client: httpx2.AsyncClient,
        caller: Caller,
        documents: ModuleDocuments,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        def nowhere() -> None:
            raise ToolMissing("tofu is not here")

        version = await Version.publish(client, caller)
        monkeypatch.setattr(documents, "_find_reader", nowhere)
        with pytest.raises(ToolMissing):
            await documents.read(version.reference)
        shown = await version.documents()
        assert (shown["state"], shown["reason"]) == (
            "pending",
            "not read yet, this is tried again: tofu is not here",
        )
        assert await documents.is_unfinished(
            version.reference.organization_id, str(version.reference.module_version_id)
        )

    async def test_on_a_full_disk_it_stays_to_be_done(
        self,
        client: httpx2.AsyncClient,
        caller: Caller,
        documents: ModuleDocuments,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        def full(*_: object) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        version = await Version.publish(client, caller)
        monkeypatch.setattr(Path, "write_bytes", full)
        with pytest.raises(Unavailable, match="No space left"):
            await documents.read(version.reference)
        shown = await version.documents()
        assert shown["state"] == "pending"
        assert "temporary files does not take the code: No space left on device" in str(shown["reason"])

    async def test_is_done_once_more_for_who_may_publish_and_asks(
        self, client: httpx2.AsyncClient, caller: Caller, documents: ModuleDocuments, database: Database
    ) -> None:
        version = await Version.publish(client, caller, a_tar_gz(UNREADABLE))
        await documents.read(version.reference)
        async with database.platform("deliver the first") as session:
            await session.execute(text("DELETE FROM outbox"))
        await version.ask_again()
        async with database.transaction(caller.scope) as session:
            assert await session.scalar(text("SELECT workflow FROM outbox")) == "registry.ingest_module"
        assert (await documents.read(version.reference)).state is DocumentsState.UNREADABLE

    async def test_once_more_leaves_what_was_read_until_something_else_is(
        self, client: httpx2.AsyncClient, caller: Caller, documents: ModuleDocuments, blob_folder: Path
    ) -> None:
        archive = a_tar_gz({"main.tf": f"# {new_id()}"})
        version = await Version.publish(client, caller, archive)
        await documents.read(version.reference)
        first = await version.documents()
        await version.ask_again()
        assert await version.documents() == first | {"state": "pending"}
        (blob_folder / key_of(hashlib.sha256(archive).hexdigest())).unlink()
        await documents.read(version.reference)
        shown = await version.documents()
        assert "have it restored" in str(shown["reason"])
        assert shown | {"reason": None} == first

    @pytest.mark.parametrize("adds_row", [False, True])
    async def test_is_also_done_for_what_releases_before_publish(
        self,
        client: httpx2.AsyncClient,
        caller: Caller,
        documents: ModuleDocuments,
        database: Database,
        *,
        adds_row: bool,
    ) -> None:
        version = await Version.publish(client, caller)
        old_id = new_id()
        async with database.transaction(caller.scope) as session:
            await session.execute(
                text(ANOTHER_VERSION),
                {"id": old_id},
            )
            if adds_row:
                await session.execute(text(ITS_ROW), {"id": old_id})
        version.address = version.address.rpartition("/")[0] + "/0.0.1"
        await version.ask_again()
        reference = version.reference.model_copy(update={"module_version_id": old_id})
        assert (await documents.read(reference)).state is DocumentsState.READY

    async def test_of_a_version_that_is_not_there_is_not_asked_for(
        self, client: httpx2.AsyncClient, caller: Caller
    ) -> None:
        version = await Version.publish(client, caller)
        path = f"{MODULES}/{version.address.rpartition('/')[0]}/9.9.9/documents"
        answer = await client.post(path, headers=caller.headers)
        assert (answer.status_code, answer.json()["code"]) == (404, "registry.module_not_found")

    async def test_is_shown_to_nobody_else(
        self, client: httpx2.AsyncClient, caller: Caller, stranger: Caller, documents: ModuleDocuments
    ) -> None:
        version = await Version.publish(client, caller)
        await documents.read(version.reference)
        answer = await client.get(f"{MODULES}/{version.address}/documents", headers=stranger.headers)
        assert (answer.status_code, answer.json()["code"]) == (404, "registry.module_not_found")


class TestWakes:
    async def test_a_publication_brings_its_own(
        self, client: httpx2.AsyncClient, caller: Caller, database: Database
    ) -> None:
        version = await Version.publish(client, caller)
        async with database.transaction(caller.scope) as session:
            [row] = await session.execute(text("SELECT workflow, resource_id, summary FROM outbox"))
        assert row.workflow == "registry.ingest_module"
        assert row.resource_id == str(version.reference.module_version_id)
        assert version.address.rpartition("/")[0] in row.summary

    async def test_what_is_overdue_is_woken_the_later_the_longer_it_waits(
        self, client: httpx2.AsyncClient, caller: Caller, documents: ModuleDocuments, database: Database
    ) -> None:
        version = await Version.publish(client, caller)
        async with database.platform("deliver the first") as session:
            await session.execute(text("DELETE FROM outbox"))
        async with database.transaction(caller.scope) as session:
            await session.execute(
                text(
                    "UPDATE module_documents "
                    "SET asked_at = now() - interval '10 minutes', due_at = now() - interval '2 minutes'"
                )
            )
        for _ in range(2):
            await documents.look_after()
        async with database.transaction(caller.scope) as session:
            rows = list(await session.execute(text("SELECT resource_id FROM outbox")))
            pause = await session.scalar(text("SELECT extract(epoch FROM due_at - now()) FROM module_documents"))
        assert [row.resource_id for row in rows] == [str(version.reference.module_version_id)]
        assert 4 * 60 < pause <= 10 * 60
