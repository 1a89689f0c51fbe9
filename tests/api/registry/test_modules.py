"""Publishing and listing modules over HTTP."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest
from sqlalchemy import text

from api.registry import multipart
from domain.ids import new_id
from storage.blobs.local import LocalBlobStore
from storage.blobs.store import key_of
from storage.database import Database
from tests.factories.organizations import Caller
from tests.factories.registry import MODULES, Form, a_module, claim_namespace, publish
from tests.fixtures.archives import a_tar_gz, a_zip
from tests.fixtures.stored import never_asked_for, stored

pytestmark = pytest.mark.servers


@pytest.fixture
async def namespace(client: httpx2.AsyncClient, caller: Caller) -> str:
    return await claim_namespace(client, caller)


class TestPublishModule:
    async def test_shows_the_version_it_published(
        self, client: httpx2.AsyncClient, caller: Caller, namespace: str
    ) -> None:
        form = a_module(namespace, version="1.2.3-rc.1")
        answer = await publish(
            client, caller, MODULES, Form({**form.fields, "description": "Networks."}, form.files)
        )
        assert answer.status_code == 201
        shown = answer.json()
        assert (shown["version"], shown["description"], shown["format"]) == ("1.2.3-rc.1", "Networks.", "tar.gz")

    async def test_takes_the_archive_alone_with_the_fields_as_query(
        self, client: httpx2.AsyncClient, caller: Caller, namespace: str
    ) -> None:
        answer = await client.post(
            MODULES,
            params=dict(a_module(namespace).fields),
            content=a_zip(),
            headers=caller.headers | {"Content-Type": "application/zip"},
        )
        assert (answer.status_code, answer.json()["format"]) == (201, "zip")

    async def test_the_same_bytes_again_are_no_error(
        self, client: httpx2.AsyncClient, caller: Caller, namespace: str
    ) -> None:
        first, second = [await publish(client, caller, MODULES, a_module(namespace)) for _ in range(2)]
        assert (first.status_code, second.status_code) == (201, 200)
        assert first.json() == second.json()

    @pytest.mark.parametrize("other", [None, b"other bytes"])
    async def test_the_same_bytes_again_store_what_was_lost_or_changed(
        self, client: httpx2.AsyncClient, caller: Caller, namespace: str, blob_folder: Path, other: bytes | None
    ) -> None:
        archive = a_tar_gz({"main.tf": f"# {new_id()}"})
        form = a_module(namespace, archive=archive)
        file = blob_folder / key_of((await publish(client, caller, MODULES, form)).json()["sha256"])
        file.unlink() if other is None else file.write_bytes(other)
        assert (await publish(client, caller, MODULES, form)).status_code == 200
        assert file.read_bytes() == archive

    async def test_other_bytes_for_a_published_version_are_a_conflict(
        self,
        client: httpx2.AsyncClient,
        caller: Caller,
        namespace: str,
        database: Database,
        blobs: LocalBlobStore,
    ) -> None:
        await publish(client, caller, MODULES, a_module(namespace))
        before = await stored(database, caller, blobs)
        other = a_tar_gz({"main.tf": f"# {new_id()}"})
        answer = await publish(client, caller, MODULES, a_module(namespace, archive=other))
        assert (answer.status_code, answer.json()["code"]) == (409, "registry.version_exists")
        assert await stored(database, caller, blobs) == before

    async def test_of_twenty_at_once_with_one_version_one_publishes(
        self, client: httpx2.AsyncClient, caller: Caller, namespace: str
    ) -> None:
        archives = [a_tar_gz({"main.tf": f"# {number}"}) for number in range(20)]
        answers = await asyncio.gather(
            *(publish(client, caller, MODULES, a_module(namespace, archive=archive)) for archive in archives)
        )
        assert sorted(answer.status_code for answer in answers) == [201] + [409] * 19
        [winner] = [answer.json() for answer in answers if answer.status_code == 201]
        again = await publish(
            client, caller, MODULES, a_module(namespace, archive=archives[answers.index(_won(answers))])
        )
        assert (again.status_code, again.json()) == (200, winner)

    async def test_of_twenty_at_once_with_the_same_bytes_one_is_new(
        self, client: httpx2.AsyncClient, caller: Caller, namespace: str
    ) -> None:
        answers = await asyncio.gather(*(publish(client, caller, MODULES, a_module(namespace)) for _ in range(20)))
        assert sorted(answer.status_code for answer in answers) == [200] * 19 + [201]
        assert len({answer.text for answer in answers}) == 1

    async def test_is_written_to_the_audit_log(
        self, client: httpx2.AsyncClient, caller: Caller, namespace: str, database: Database
    ) -> None:
        published = (await publish(client, caller, MODULES, a_module(namespace))).json()
        async with database.transaction(caller.scope) as session:
            found = await session.execute(
                text("SELECT target, changes FROM audit_event WHERE action = 'registry.module_published'")
            )
            [(target, changes)] = found.all()
        assert target == {"kind": "module_version", "id": published["id"]}
        assert changes["sha256"] == published["sha256"]


def _won(answers: list[httpx2.Response]) -> httpx2.Response:
    return next(answer for answer in answers if answer.status_code == 201)


class TestRefusedModules:
    @pytest.mark.parametrize(
        ("bent", "status", "code"),
        [
            ({"namespace": "nobody-has-claimed-this"}, 404, "registry.namespace_not_found"),
            ({"colour": "blue"}, 422, "registry.upload_invalid"),
            ({"description": "a\0b"}, 422, "registry.upload_invalid"),
            ({"description": "\x1b[31mred"}, 422, "registry.upload_invalid"),
            ({"description": "for \u202edlrow"}, 422, "registry.upload_invalid"),
            ({"description": "a" * 2_001}, 422, "registry.upload_invalid"),
        ],
    )
    async def test_fields_are_refused_before_the_archive_is_asked_for(
        self,
        client: httpx2.AsyncClient,
        caller: Caller,
        namespace: str,
        database: Database,
        blobs: LocalBlobStore,
        bent: dict[str, str],
        status: int,
        code: str,
    ) -> None:
        before = await stored(database, caller, blobs)
        answer = await client.post(
            MODULES,
            params={**a_module(namespace).fields, **bent},
            content=never_asked_for(),
            headers=caller.headers | {"Content-Type": "application/gzip"},
        )
        assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert await stored(database, caller, blobs) == before

    @pytest.mark.parametrize(
        ("archive", "status", "code"),
        [
            (b"", 422, "registry.archive_unreadable"),
            (b"no archive", 422, "registry.archive_unreadable"),
            (a_tar_gz()[:-20], 422, "registry.archive_unreadable"),
            (a_tar_gz({"README.md": "x"}), 422, "registry.not_a_module"),
            (a_tar_gz({"README.md": "x", "modules/a/main.tf": ""}), 422, "registry.not_a_module"),
        ],
    )
    async def test_archives_leave_nothing_behind(
        self,
        client: httpx2.AsyncClient,
        caller: Caller,
        namespace: str,
        database: Database,
        blobs: LocalBlobStore,
        archive: bytes,
        status: int,
        code: str,
    ) -> None:
        before = await stored(database, caller, blobs)
        answer = await publish(client, caller, MODULES, a_module(namespace, archive=archive))
        assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert await stored(database, caller, blobs) == before

    async def test_no_module_is_told_so_also_for_a_published_version(
        self, client: httpx2.AsyncClient, caller: Caller, namespace: str
    ) -> None:
        await publish(client, caller, MODULES, a_module(namespace))
        answer = await publish(client, caller, MODULES, a_module(namespace, archive=a_tar_gz({"README.md": "x"})))
        assert (answer.status_code, answer.json()["code"]) == (422, "registry.not_a_module")

    async def test_more_than_the_limit_ends_the_upload(
        self, client: httpx2.AsyncClient, caller: Caller, namespace: str
    ) -> None:
        sent = 0

        async def endless() -> AsyncIterator[bytes]:
            nonlocal sent
            while True:
                sent += 1_000_000
                yield bytes(1_000_000)

        answer = await client.post(
            MODULES,
            params=dict(a_module(namespace).fields),
            content=endless(),
            headers=caller.headers | {"Content-Type": "application/gzip"},
        )
        assert (answer.status_code, answer.json()["code"]) == (413, "registry.upload_too_large")
        assert sent < 120_000_000


class TestUploadsThatStall:
    @pytest.mark.parametrize("content_type", ["application/gzip", "multipart/form-data; boundary=x"])
    async def test_are_given_up_and_leave_nothing(
        self,
        client: httpx2.AsyncClient,
        caller: Caller,
        namespace: str,
        database: Database,
        blobs: LocalBlobStore,
        monkeypatch: pytest.MonkeyPatch,
        content_type: str,
    ) -> None:
        async def half() -> AsyncIterator[bytes]:
            yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nhalf'
            await asyncio.Event().wait()

        monkeypatch.setattr(multipart, "STALLED_SECONDS", 0.05)
        before = await stored(database, caller, blobs)
        headers = caller.headers | {"Content-Type": content_type}
        query = dict(a_module(namespace).fields)
        answer = await client.post(MODULES, params=query, content=half(), headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (422, "registry.upload_stalled")
        assert await stored(database, caller, blobs) == before


class TestBrokenForms:
    @pytest.mark.parametrize(
        ("content_type", "content"),
        [
            ("application/json", b"{}"),
            ("multipart/form-data", b""),
            ("multipart/form-data; boundary=x", b""),
            ("multipart/form-data; boundary=x", b"--x\r\n"),
            ("multipart/form-data; boundary=x", b"no boundary at all"),
            (
                "multipart/form-data; boundary=x",
                b'--x\r\nContent-Disposition: form-data; name="a\r\n\r\nb\r\n--x--',
            ),
            ("multipart/form-data; boundary=x", b"--x\r\nContent-Type: text/plain\r\n\r\nb\r\n--x--\r\n"),
            ("multipart/form-data; boundary=x", b"--x\r\nA: " + b"a" * 10_000 + b"\r\n\r\n\r\n--x--\r\n"),
            ("multipart/form-data; boundary=x", b"--x\r\n" + b"A: a\r\n" * 100 + b"\r\n\r\n--x--\r\n"),
            ("multipart/form-data; boundary=" + "x" * 1000, b""),
        ],
    )
    async def test_say_what_to_send(
        self, client: httpx2.AsyncClient, caller: Caller, content_type: str, content: bytes
    ) -> None:
        headers = caller.headers | {"Content-Type": content_type}
        answer = await client.post(MODULES, content=content, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (422, "registry.upload_invalid")

    async def test_with_a_field_that_the_query_has_already_publish_nothing(
        self, client: httpx2.AsyncClient, caller: Caller, namespace: str
    ) -> None:
        form = a_module(namespace)
        query = {**form.fields, "description": "all that may be said"}
        for fields in ({"name": "another"}, {"colour": "blue"}):
            answer = await client.post(
                MODULES,
                params=query,
                headers=caller.headers,
                **Form(fields, form.files).request,  # type: ignore[arg-type]
            )
            assert (answer.status_code, answer.json()["code"]) == (422, "registry.upload_invalid")
            assert str(*fields) in answer.json()["detail"]
        answer = await client.post(MODULES, params=query, headers=caller.headers, **Form({}, form.files).request)  # type: ignore[arg-type]
        assert (answer.status_code, answer.json()["description"]) == (201, "all that may be said")

    async def test_with_something_behind_the_archive_publish_nothing(
        self, client: httpx2.AsyncClient, caller: Caller, namespace: str
    ) -> None:
        form = a_module(namespace)
        two = Form(form.fields, [*form.files, ("another.tar.gz", b"x")])
        answer = await publish(client, caller, MODULES, two)
        assert (answer.status_code, answer.json()["code"]) == (422, "registry.upload_invalid")
        listed = (await client.get(MODULES, headers=caller.headers)).json()
        assert listed["items"] == []


class TestListModules:
    async def test_shows_the_highest_release_and_pages(
        self, client: httpx2.AsyncClient, caller: Caller, namespace: str
    ) -> None:
        for version in ("1.0.0", "2.0.0-rc.1", "1.10.0", "1.9.0"):
            await publish(client, caller, MODULES, a_module(namespace, version=version))
        await publish(client, caller, MODULES, a_module(namespace, name="disk", version="0.1.0-a"))
        first = (await client.get(MODULES, params={"limit": 1}, headers=caller.headers)).json()
        rest = await client.get(
            MODULES, params={"limit": 1, "cursor": first["next_cursor"]}, headers=caller.headers
        )
        items = first["items"] + rest.json()["items"]
        assert [(item["name"], item["latest_version"]) for item in items] == [
            ("network", "1.10.0"),
            ("disk", "0.1.0-a"),
        ]
        assert rest.json()["next_cursor"] is None


class TestSearchModules:
    @pytest.mark.parametrize(
        ("words", "names"),
        [
            ("", ["network", "disk"]),
            ("net", ["network"]),
            ("DISK", ["disk"]),
            ("fast storage", ["disk"]),
            ("storage network", []),
            ("%", []),
            ("_", []),
            ("' OR 1=1 --", []),
        ],
    )
    async def test_finds_what_has_every_word(
        self, client: httpx2.AsyncClient, caller: Caller, namespace: str, words: str, names: list[str]
    ) -> None:
        await publish(client, caller, MODULES, a_module(namespace))
        disk = a_module(namespace, name="disk", system="gcp")
        await publish(client, caller, MODULES, Form({**disk.fields, "description": "Fast storage."}, disk.files))
        answer = await client.get(f"{MODULES}/search", params={"q": words}, headers=caller.headers)
        assert [item["name"] for item in answer.json()["items"]] == names

    async def test_a_nul_is_refused(self, client: httpx2.AsyncClient, caller: Caller) -> None:
        answer = await client.get(f"{MODULES}/search?q=%00", headers=caller.headers)
        assert answer.status_code == 422


class TestDescription:
    async def test_is_that_of_the_latest_version_in_every_list(
        self, client: httpx2.AsyncClient, caller: Caller, namespace: str
    ) -> None:
        for version, description in (("1.1.0", "Fast."), ("1.0.1", "Slow."), ("1.2.0", ""), ("1.3.0", "Broken.")):
            form = a_module(namespace, version=version)
            await publish(client, caller, MODULES, Form({**form.fields, "description": description}, form.files))
        assert await described(client, caller) == {"Broken."}
        yank = f"{MODULES}/{namespace}/network/aws/1.3.0/yank"
        await client.put(yank, json={"reason": "It is."}, headers=caller.headers)
        assert await described(client, caller) == {"Fast."}
        for word, found in (("fast", 1), ("slow", 0), ("broken", 0)):
            answer = await client.get(f"{MODULES}/search?q={word}", headers=caller.headers)
            assert len(answer.json()["items"]) == found

    async def test_stays_where_a_server_of_the_release_before_wrote_none_of_the_latest(
        self, client: httpx2.AsyncClient, caller: Caller, namespace: str, database: Database
    ) -> None:
        for version in ("1.0.0", "1.1.0"):
            form = a_module(namespace, version=version)
            await publish(client, caller, MODULES, Form({**form.fields, "description": "Fast."}, form.files))
        async with database.transaction(caller.scope) as session:
            await session.execute(text("UPDATE module_version SET description = ''"))
        yank = f"{MODULES}/{namespace}/network/aws/1.1.0/yank"
        await client.put(yank, json={"reason": "It is."}, headers=caller.headers)
        assert await described(client, caller) == {"Fast."}


async def described(client: httpx2.AsyncClient, caller: Caller) -> set[str]:
    """Give the descriptions that the lists show of the only module."""
    lists = ((MODULES, "items"), ("/v1/modules", "modules"))
    found = [(await client.get(path, headers=caller.headers)).json()[of] for path, of in lists]
    return {module["description"] for [module] in found}
