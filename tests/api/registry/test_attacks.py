"""Attacks on the registry over HTTP, by the numbers of the list that the design names in its section on safety.

Each is refused with a code and a sentence of its own, and leaves neither a row nor a file. What a reader or parser
does with each single trick is shown where it is, in tests/integrations/archives and tests/domain/registry. And
elsewhere, with their number in the name: of 6, many ranges (tests/api/protocols/test_downloads.py); of 8, the host
name that is configured (tests/config/test_settings.py); 13 and 14, signatures and SHA256SUMS (test_providers.py,
and 13 by the table of tests/integrations/signature_cases.py). Without it: of 6, bodies that are no JSON
(tests/api/test_problems.py); of 7, namespaces that look alike (test_namespaces.py); of 9, a version again
(test_modules.py, test_providers.py).
"""

import asyncio
import gzip
import hashlib
import re
import tarfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote

import httpx2
import pytest

from domain.registry.names import Platform
from integrations.archives.members import MEGABYTE
from services.all import Services
from services.registry.limits import RegistryLimits
from storage.blobs.local import LocalBlobStore
from storage.database import Database
from tests.factories.organizations import Caller
from tests.factories.registry import (
    LINUX,
    MODULES,
    NAMESPACES,
    PROVIDERS,
    Form,
    Release,
    a_module,
    a_provider,
    add_key,
    claim_namespace,
    new_namespace,
    publish,
)
from tests.fixtures.archives import A_MODULE, a_provider_zip, a_tar, a_tar_gz, a_tar_gz_with, a_zip
from tests.fixtures.hostile_archives import Entry, zip_of, zip_that_is_a_tar, zip_with_a_second_directory
from tests.fixtures.signing import Signer
from tests.fixtures.stored import never_asked_for, stored

pytestmark = pytest.mark.servers

EXECUTABLE = "terraform-provider-time_v0.1.0"
PIECE = 64 * 1024  # what a server reads at once
ADVICE = re.compile(r"\b(pack|rename|replace|send|leave out|write|at most|is a tar.gz or a zip)\b")
GZIP = {"Content-Type": "application/gzip"}


@dataclass(frozen=True, slots=True)
class Refusal:
    """What was answered to an attack, and what it took."""

    status: int
    code: str
    sentence: str
    seconds: float
    length: int


@dataclass(frozen=True, slots=True)
class Attacker:
    """Somebody with a key and a namespace, who sees that nothing of an attack stays."""

    client: httpx2.AsyncClient
    caller: Caller
    database: Database
    blobs: LocalBlobStore
    namespace: str
    signer: Signer = field(repr=False)

    async def module(self, archive: bytes) -> Refusal:
        """Publish an archive as a module."""
        refusal = await self.send(MODULES, a_module(self.namespace, archive=archive))
        assert ADVICE.search(refusal.sentence), refusal.sentence
        return refusal

    async def package(self, package: bytes, *, platform: Platform = LINUX) -> Refusal:
        """Publish a zip as a signed provider's package."""
        release = Release(self.signer, packages={platform: package})
        refusal = await self.send(PROVIDERS, a_provider(self.namespace, release))
        assert ADVICE.search(refusal.sentence), refusal.sentence
        return refusal

    async def fields(self, path: str, bent: Mapping[str, str]) -> Refusal:
        """Publish with other fields. An archive alone fails the test if it is asked for, a form has to be read."""
        if path == MODULES:
            params = {**a_module(self.namespace).fields, **bent}
            return await self.ask(path, params=params, content=never_asked_for(), headers=GZIP)
        form = a_provider(self.namespace, Release(self.signer))
        return await self.send(path, Form({**form.fields, **bent}, form.files))

    async def send(self, path: str, form: Form) -> Refusal:
        """Send a form."""
        request = self.client.build_request("POST", path, **form.request)  # type: ignore[arg-type]
        content, headers = await request.aread(), {"Content-Type": request.headers["content-type"]}
        return await self.ask(path, content=content, headers=headers)

    async def ask(self, path: str, *, headers: Mapping[str, str], **request: object) -> Refusal:
        """Send a request that has to be refused."""
        before = await stored(self.database, self.caller, self.blobs)
        started = time.process_time()
        answer = await self.client.post(path, headers={**self.caller.headers, **headers}, **request)  # type: ignore[arg-type]
        seconds = time.process_time() - started
        assert await stored(self.database, self.caller, self.blobs) == before
        told = answer.json()
        assert told["detail"].isprintable()
        return Refusal(answer.status_code, told["code"], told["detail"], seconds, len(answer.content))


@pytest.fixture(scope="module")
def signer() -> Signer:
    return Signer()


@pytest.fixture(scope="module")
async def attacker(
    client: httpx2.AsyncClient,
    make_caller: Callable[[], Awaitable[Caller]],
    database: Database,
    blobs: LocalBlobStore,
    signer: Signer,
) -> Attacker:
    """Make one for all: nothing of what he does stays."""
    caller = await make_caller()
    namespace = await claim_namespace(client, caller)
    await add_key(client, caller, namespace, signer)
    return Attacker(client, caller, database, blobs, namespace, signer)


def a_link(kind: bytes, target: str) -> bytes:
    info = tarfile.TarInfo("link.tf")
    info.type, info.linkname = kind, target
    return a_tar_gz_with(info)


class TestAttack01PathsThatLeaveTheArchive:
    PATHS = (
        "../x.tf",
        "a/../../x.tf",
        "/etc/x.tf",
        "C:\\x.tf",
        "..\\x.tf",
        "a\0b.tf",
        "x.tf.",
        "MAIN.tf",
        "aux.tf",
    )

    @pytest.mark.parametrize("path", PATHS)
    async def test_of_a_module(self, attacker: Attacker, path: str) -> None:
        archives = [zip_of([Entry(name="main.tf"), Entry(name=path)])]
        if "\0" not in path:  # it ends a name in a tar
            archives.append(a_tar_gz({"main.tf": "", path: "x"}))
        for archive in archives:
            refusal = await attacker.module(archive)
            assert (refusal.status, refusal.code) == (422, "registry.archive_path")

    @pytest.mark.parametrize("path", ["../x", "/etc/x", EXECUTABLE.upper()])
    async def test_of_a_package(self, attacker: Attacker, path: str) -> None:
        package = zip_of([Entry(name=EXECUTABLE, mode=0o100755), Entry(name=path)])
        refusal = await attacker.package(package)
        assert (refusal.status, refusal.code) == (422, "registry.archive_path")


class TestAttack02LinksAndDevices:
    @pytest.mark.parametrize(
        ("archive", "code", "advice"),
        [
            (a_link(tarfile.SYMTYPE, "main.tf"), "registry.archive_member", "replace links"),
            (a_link(tarfile.SYMTYPE, "/etc/passwd"), "registry.archive_member", "replace links"),
            (a_link(tarfile.LNKTYPE, "main.tf"), "registry.archive_member", "replace links"),
            (a_link(tarfile.CHRTYPE, ""), "registry.archive_member", "replace links"),
            (a_link(tarfile.FIFOTYPE, ""), "registry.archive_member", "replace links"),
            (a_link(tarfile.GNUTYPE_SPARSE, ""), "registry.archive_member", "replace links"),
            (a_tar_gz({"main.tf": "", "a" * 101: ""}, form=tarfile.GNU_FORMAT), "registry.archive_path", "ustar"),
            (a_tar_gz({"main.tf": "", "a" * 101: ""}, form=tarfile.PAX_FORMAT), "registry.archive_path", "ustar"),
            (a_zip({"main.tf": "/etc/passwd"}, mode=0o120777), "registry.archive_member", "replace links"),
            (a_zip({"main.tf": ""}, mode=0o020666), "registry.archive_member", "replace links"),
            (a_zip({"main.tf": ""}, mode=0o040755), "registry.archive_member", "pack it anew"),
        ],
    )
    async def test_in_a_module(self, attacker: Attacker, archive: bytes, code: str, advice: str) -> None:
        refusal = await attacker.module(archive)
        assert (refusal.status, refusal.code) == (422, code)
        assert advice in refusal.sentence

    async def test_in_a_package(self, attacker: Attacker) -> None:
        refusal = await attacker.package(a_zip({EXECUTABLE: "/bin/sh"}, mode=0o120777))
        assert (refusal.status, refusal.code) == (422, "registry.archive_member")


class TestAttack03Bombs:
    @pytest.mark.parametrize(
        ("make", "advice"),
        [
            (lambda: a_zip({"main.tf": bytes(80 * MEGABYTE)}), "leave out the padding"),
            (lambda: a_tar_gz({"main.tf": bytes(80 * MEGABYTE)}), "leave out the padding"),
            (lambda: a_zip({f"{number}.tf": "" for number in range(10_001)}), "pack fewer"),
        ],
        ids=["bytes of a zip", "bytes of a tar", "members"],
    )
    async def test_as_a_module(self, attacker: Attacker, make: Callable[[], bytes], advice: str) -> None:
        refusal = await attacker.module(make())
        assert (refusal.status, refusal.code) == (413, "registry.archive_too_large")
        assert advice in refusal.sentence
        assert refusal.seconds < 1

    async def test_as_a_package(self, attacker: Attacker) -> None:
        refusal = await attacker.package(a_zip({EXECUTABLE: bytes(80 * MEGABYTE)}, mode=0o100755))
        assert (refusal.status, refusal.code) == (413, "registry.archive_too_large")
        assert refusal.seconds < 1


class TestAttack04PackedBodies:
    @pytest.mark.parametrize("encoding", ["gzip", "br", "zstd", "gzip, identity"])
    async def test_a_content_encoding_is_refused_unread(self, attacker: Attacker, encoding: str) -> None:
        headers = GZIP | {"Content-Encoding": encoding}
        refusal = await attacker.ask(MODULES, content=never_asked_for(), headers=headers)
        assert (refusal.status, refusal.code) == (415, "request.refused")
        assert "without Content-Encoding" in refusal.sentence

    async def test_a_packed_json_is_never_unpacked(self, attacker: Attacker) -> None:
        bomb = gzip.compress(b'{"name": "' + b"a" * 50 * MEGABYTE)
        headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
        refusal = await attacker.ask(NAMESPACES, content=bomb, headers=headers)
        assert refusal.status in {400, 422}
        assert refusal.seconds < 0.2

    @pytest.mark.parametrize(
        "archive",
        [
            gzip.compress(a_tar(A_MODULE)[:1024]) + gzip.compress(a_tar(A_MODULE)[1024:]),
            b"\xfd7zXZ\0" + bytes(100),
            b"\x28\xb5\x2f\xfd" + bytes(100),
        ],
        ids=["two gzip streams", "xz", "zstd"],
    )
    async def test_as_the_archive(self, attacker: Attacker, archive: bytes) -> None:
        refusal = await attacker.module(archive)
        assert (refusal.status, refusal.code) == (422, "registry.archive_unreadable")


def renamed_in_front() -> bytes:
    content = a_zip({"main.tf": "x"})
    return content.replace(b"main.tf", b"evil.tf", 1)


class TestAttack05ArchivesThatSayTwoThings:
    ARCHIVES = (
        zip_with_a_second_directory(),
        zip_that_is_a_tar(),
        renamed_in_front(),
        a_zip() + a_zip(),
        a_zip() + a_tar_gz(),
        a_tar_gz() + a_zip(),
        b"x" + a_zip(),
        gzip.compress(a_tar(A_MODULE) + a_tar({"evil.tf": ""})),
    )

    @pytest.mark.parametrize("archive", ARCHIVES, ids=range(len(ARCHIVES)))
    async def test_as_a_module(self, attacker: Attacker, archive: bytes) -> None:
        refusal = await attacker.module(archive)
        assert (refusal.status, refusal.code) == (422, "registry.archive_unreadable")

    async def test_with_one_name_for_two_members(self, attacker: Attacker) -> None:
        twice = [Entry(name="main.tf", content=b"a"), Entry(name="main.tf", content=b"b")]
        refusal = await attacker.module(zip_of(twice))
        assert (refusal.status, refusal.code) == (422, "registry.archive_path")

    @pytest.mark.parametrize("package", [a_provider_zip() + b"x", b"x" + a_provider_zip(), a_tar_gz()])
    async def test_as_a_package(self, attacker: Attacker, package: bytes) -> None:
        refusal = await attacker.package(package)
        assert (refusal.status, refusal.code) == (422, "registry.archive_unreadable")

    async def test_with_another_file_that_the_tools_would_start(self, attacker: Attacker) -> None:
        package = zip_of([Entry(name=EXECUTABLE, mode=0o100755), Entry(name="terraform-provider-time.md")])
        refusal = await attacker.package(package)
        assert (refusal.status, refusal.code) == (422, "registry.not_a_provider")
        assert "nothing beside it" in refusal.sentence


class TestAttack06HugeBodies:
    @pytest.mark.parametrize(
        ("content", "said"),
        [
            (b'{"name": ' + b"1" * 5_000 + b"}", "too many digits"),
            (b'{"name": ' + b"1" * 900_000 + b"}", "too many digits"),
            (b"[" * 100_000, "nested too deep"),
            (b'{"name": "one", "name": "another"}', "the key 'name' twice"),
            (b'{"name": "one", "n\\u0061me": "another"}', "the key 'name' twice"),
            (b'{"\x1b[2J": 1, "\x1b[2J": 1}', "fields are wrong"),  # no JSON: a control character as it is
            (b'{"\\u001b[2J": 1, "\\u001b[2J": 1}', "the key '\\x1b[2J' twice"),
            (b'{"name": "one", "more": NaN}', "NaN is no number"),
            (b'{"name": "\xff"}', "UTF-8"),
            (b'{"name": "\\ud800"}', "fields are wrong"),
            (b"{" + b",".join(b'"%d":1' % number for number in range(40_000)) + b"}", "fields are wrong"),
            (b'{"name": "' + b"a" * 900_000 + b'"}', "fields are wrong"),
        ],
        ids=range(12),
    )
    async def test_json(self, attacker: Attacker, content: bytes, said: str) -> None:
        headers = {"Content-Type": "application/json"}
        refusal = await attacker.ask(NAMESPACES, content=content, headers=headers)
        assert (refusal.status, refusal.code) == (422, "request.invalid")
        assert said in refusal.sentence
        assert refusal.seconds < 1
        assert refusal.length < 10_000

    @pytest.mark.parametrize(
        "disposition",
        [
            b'form-data; name="file"; filename="%d"',
            b'form-data; name="description"%.0d',
            b'form-data; name="field-%d"',
            b"form-data%.0d",
            b'form-data; name="file"; filename="%d"; ' + b"a=b; " * 500,
        ],
        ids=["files", "one field", "fields", "without a name", "options"],
    )
    async def test_a_form_of_a_hundred_thousand_parts(self, attacker: Attacker, disposition: bytes) -> None:
        asked_for = 0

        async def body() -> AsyncIterator[bytes]:
            nonlocal asked_for
            piece = b""
            for number in range(100_000):
                piece += b"--x\r\nContent-Disposition: " + disposition % number + b"\r\n\r\n\r\n"
                if len(piece) > PIECE:
                    asked_for += 1
                    yield piece
                    piece = b""
            yield b"--x--\r\n"

        headers = {"Content-Type": "multipart/form-data; boundary=x"}
        fields = dict(a_module(attacker.namespace).fields)
        refusal = await attacker.ask(MODULES, params=fields, content=body(), headers=headers)
        assert (refusal.status, refusal.code) == (422, "registry.upload_invalid")
        assert asked_for == 1

    async def test_more_than_the_limit_of_a_file(
        self, attacker: Attacker, services: Services, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        small = RegistryLimits(module_bytes=200, package_bytes=200)
        monkeypatch.setattr(services.registry.modules, "_limits", small)
        monkeypatch.setattr(services.registry.providers._releases, "_limits", small)
        package = a_zip({EXECUTABLE: bytes(range(256))}, mode=0o100755)
        release = Release(attacker.signer, packages={LINUX: package})
        for setting, refusal in (
            ("registry.module_bytes", await attacker.module(a_tar_gz({"main.tf": bytes(range(256))}))),
            ("registry.package_bytes", await attacker.send(PROVIDERS, a_provider(attacker.namespace, release))),
        ):
            assert (refusal.status, refusal.code) == (413, "registry.upload_too_large")
            assert "200 bytes" in refusal.sentence
            assert f"raise the setting {setting}" in refusal.sentence


NO_NAMES = (
    *("", ".", "..", "../etc", "%2e%2e%2f", "a%00", "a\0b", "a/b", "a\\b", "a b", "a\n", "A", "a" * 300),
    *("\u0430cme", "\uff41cme", "a\u202ecme", "\u00e4", "-a", "a-"),
)


class TestAttack07Names:
    @pytest.mark.parametrize("name", NO_NAMES)
    async def test_that_are_none_are_refused_before_the_archive_is_asked_for(
        self, attacker: Attacker, name: str
    ) -> None:
        fields = {MODULES: ("namespace", "name", "system"), PROVIDERS: ("namespace", "type")}
        for path, bent in fields.items():
            for part in bent:
                refusal = await attacker.fields(path, {part: name})
                expected = "registry.upload_invalid" if "\0" in name else "registry.name_invalid"
                assert (refusal.status, refusal.code) == (422, expected)

    @pytest.mark.parametrize("name", NO_NAMES)
    async def test_that_are_none_are_nothing_to_the_protocols(self, attacker: Attacker, name: str) -> None:
        written = quote(name, safe="")
        for path in (
            f"/v1/modules/{written}/network/aws/versions",
            f"/v1/modules/{attacker.namespace}/{written}/aws/versions",
            f"/v1/modules/{attacker.namespace}/network/{written}/0.1.0/download",
            f"/v1/modules/{attacker.namespace}/network/aws/{written}/download",
            f"/v1/providers/{written}/time/versions",
            f"/v1/providers/{attacker.namespace}/{written}/versions",
            f"/v1/providers/{attacker.namespace}/time/0.1.0/download/{written}/amd64",
        ):
            answer = await attacker.client.get(path, headers=attacker.caller.headers)
            assert answer.status_code in {404, 422}, path
            assert answer.json()

    @pytest.mark.parametrize(
        ("platform", "advice"),
        [
            (Platform("linux", "x86_64"), "write amd64"),
            (Platform("macos", "arm64"), "write darwin"),
            (Platform("Linux", "amd64"), "write linux"),
            (Platform("linux", ""), "write one of"),
        ],
    )
    async def test_of_platforms_that_no_tool_asks_for(
        self, attacker: Attacker, platform: Platform, advice: str
    ) -> None:
        refusal = await attacker.package(a_provider_zip(), platform=platform)
        assert (refusal.status, refusal.code) == (422, "registry.platform_unknown")
        assert advice in refusal.sentence


NO_NAMESPACES = (
    *("registry.acme.example", "acme.example:443", "acme:443", "acme.", "user@acme", "[::1]", "fe80::1%25eth0"),
    *("xn--80ak6aa92e", "xn--acme", "\u0430\u0441me", "b\u00fccher", "ACME", "https://acme"),
)


class TestAttack08HostNames:
    """Host names are in addresses of the tools alone, so here a namespace is none, and none reads like another.

    The one host name that is configured is held to the tools' rules in tests/config/test_settings.py.
    """

    @pytest.mark.parametrize("name", NO_NAMESPACES)
    async def test_are_no_namespaces(self, attacker: Attacker, name: str) -> None:
        json = {"Content-Type": "application/json"}
        refusals = [await attacker.ask(NAMESPACES, json={"name": name}, headers=json)]
        refusals += [await attacker.fields(path, {"namespace": name}) for path in (MODULES, PROVIDERS)]
        for refusal in refusals:
            assert (refusal.status, refusal.code) == (422, "registry.name_invalid")

    @pytest.mark.parametrize(("name", "typo"), [("mooring", "rnooring"), ("wall-0", "wa1l-o"), ("five", "f-ive")])
    async def test_that_are_typed_like_a_claimed_namespace_are_told_so(
        self, attacker: Attacker, stranger: Caller, name: str, typo: str
    ) -> None:
        own = new_namespace()
        claimed = await attacker.client.post(
            NAMESPACES, json={"name": f"{own}-{name}"}, headers=attacker.caller.headers
        )
        assert claimed.status_code == 201
        alike = await attacker.client.post(NAMESPACES, json={"name": f"{own}-{typo}"}, headers=stranger.headers)
        assert (alike.status_code, alike.json()["code"]) == (409, "registry.namespace_confusable")


class TestAttack09Versions:
    @pytest.mark.parametrize(
        "version",
        [
            "v1.0.0",
            "01.0.0",
            "1.0",
            "1.0.0-",
            "1.0.0+meta",
            "1.0.0\n",
            "1" * 1000,
            f"{10**20}.0.0",
            "../1.0.0",
            "latest",
        ],
    )
    async def test_that_are_none_are_refused_before_the_archive_is_asked_for(
        self, attacker: Attacker, version: str
    ) -> None:
        for path in (MODULES, PROVIDERS):
            refusal = await attacker.fields(path, {"version": version})
            assert (refusal.status, refusal.code) == (422, "registry.version_invalid")
            assert refusal.sentence.startswith(("a version ", "a number in a version "))


class TestAttack12Arguments:
    """No name reaches a command line: those that could be options are none, and files have the release's names."""

    @pytest.mark.parametrize("name", ["-chdir", "--homedir=x", "@file", "-"])
    async def test_that_look_like_options_are_no_names(self, attacker: Attacker, name: str) -> None:
        for path, part in ((MODULES, "namespace"), (MODULES, "name"), (MODULES, "system"), (PROVIDERS, "type")):
            assert (await attacker.fields(path, {part: name})).code == "registry.name_invalid"
        assert (await attacker.fields(MODULES, {"version": name})).code == "registry.version_invalid"

    @pytest.mark.parametrize("name", ["--homedir=x", "@file", "../SHA256SUMS", "SHA256SUMS\x1b[2J", "x\u202e.sig"])
    async def test_as_names_of_files_are_not_the_releases(self, attacker: Attacker, name: str) -> None:
        files = Release(attacker.signer).files()
        for at in range(3):
            bent = [*files[:at], (name, files[at][1]), *files[at + 1 :]]
            form = a_provider(attacker.namespace, Release(attacker.signer), bent)
            assert (await attacker.send(PROVIDERS, form)).code == "registry.upload_invalid"


class TestAttack15ChangedMeanwhile:
    async def test_what_is_served_is_what_was_checked_whoever_else_published(self, attacker: Attacker) -> None:
        archives = [a_tar_gz({"main.tf": f"# {number}"}) for number in range(8)]
        forms = [a_module(attacker.namespace, name="raced-for", archive=archive) for archive in archives]
        answers = await asyncio.gather(
            *(publish(attacker.client, attacker.caller, MODULES, form) for form in forms)
        )
        [winner] = [answer.json() for answer in answers if answer.status_code == 201]
        path = f"/v1/modules/{attacker.namespace}/raced-for/aws/0.1.0/download"
        told = await attacker.client.get(path, headers=attacker.caller.headers)
        served = (await attacker.client.get(told.json()["location"])).content
        assert hashlib.sha256(served).hexdigest() == winner["sha256"]
        assert served == archives[[answer.status_code for answer in answers].index(201)]
