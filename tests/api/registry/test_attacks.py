"""Attacks on the registry over HTTP, by the numbers of the list that the design names in its section on safety.

Attacks 1 to 5, by archives, are in test_attacks_by_archives.py. Each is refused with a code and a sentence of its
own, and leaves neither a row nor a file. What a reader or parser does with each single trick is shown where it is,
in tests/integrations/archives and tests/domain/registry. And elsewhere, with their number in the name: of 6, many
ranges (tests/api/protocols/test_downloads.py); of 8, the host name that is configured
(tests/config/test_settings.py); 13 and 14, signatures and SHA256SUMS (test_providers.py, and 13 by the table of
tests/integrations/signature_cases.py). Without it: of 6, bodies that are no JSON (tests/api/test_problems.py); of
7, namespaces that look alike (test_namespaces.py); of 9, a version again (test_modules.py, test_providers.py).
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from urllib.parse import quote

import pytest

from domain.registry.names import Platform
from services.all import Services
from services.registry.limits import RegistryLimits
from tests.factories.organizations import Caller
from tests.factories.registry import (
    LINUX,
    MODULES,
    NAMESPACES,
    PROVIDERS,
    Release,
    a_module,
    a_provider,
    new_namespace,
    publish,
)
from tests.fixtures.archives import a_provider_zip, a_tar_gz, a_zip
from tests.fixtures.attacker import Attacker

pytestmark = pytest.mark.servers

EXECUTABLE = "terraform-provider-time_v0.1.0"
PIECE = 64 * 1024  # what a server reads at once


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
