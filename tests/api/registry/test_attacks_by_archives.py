"""Attacks 1 to 5 on the registry over HTTP: archives. The others, and where else to look: test_attacks.py."""

import gzip
import tarfile
from collections.abc import Callable

import pytest

from integrations.archives.members import MEGABYTE
from tests.factories.registry import (
    MODULES,
    NAMESPACES,
)
from tests.fixtures.archives import A_MODULE, a_provider_zip, a_tar, a_tar_gz, a_tar_gz_with, a_zip
from tests.fixtures.attacker import GZIP, Attacker
from tests.fixtures.hostile_archives import Entry, zip_of, zip_that_is_a_tar, zip_with_a_second_directory
from tests.fixtures.stored import never_asked_for

pytestmark = pytest.mark.servers

EXECUTABLE = "terraform-provider-time_v0.1.0"


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
