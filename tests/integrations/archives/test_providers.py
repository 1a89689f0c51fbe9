"""A provider's package: a zip with an executable that tools find and may start."""

import zipfile
from pathlib import Path

import pytest

from domain.registry.errors import (
    ArchiveMemberRefused,
    NotAProvider,
    PackageOfAnotherPlatform,
    PackageOfAnotherVersion,
)
from domain.registry.names import Platform
from integrations.archives.members import ArchiveLimits
from integrations.archives.provider import check_provider
from tests.fixtures.archives import a_provider_zip, a_zip, written
from tests.fixtures.hostile_archives import Entry, zip_of

LINUX = Platform("linux", "amd64")


def check(folder: Path, content: bytes, platform: Platform = LINUX) -> str:
    return check_provider(
        written(folder, content), type="time", version="0.1.0", platform=platform, limits=ArchiveLimits()
    )


class TestCheckProvider:
    def test_hashes_the_files_however_they_are_packed(self, tmp_path: Path) -> None:
        one = {"terraform-provider-time_v0.1.0": b"x", "LICENSE": b"MIT"}
        other = dict(reversed(one.items()))
        hashes = {
            check(tmp_path, a_zip(files, mode=0o100755, method=method))
            for files in (one, other)
            for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
        }
        assert len(hashes) == 1

    @pytest.mark.parametrize(
        "name",
        [
            "terraform-provider-time",
            "terraform-provider-time_v0.1.0_x5",
            "terraform-provider-time_v0.1.0_x5.exe",
            "terraform-provider-time_v0.1",
            "terraform-provider-time_vanilla",
            "terraform-provider-time.sh",
        ],
    )
    def test_takes_each_name_that_tools_find(self, tmp_path: Path, name: str) -> None:
        assert check(tmp_path, a_zip({name: "x"}, mode=0o100755)).startswith("h1:")

    @pytest.mark.parametrize(
        "name",
        ["README", "terraform-provider-times", "bin/terraform-provider-time", "terraform-provider-random_v1"],
    )
    def test_refuses_a_zip_without_the_providers_executable(self, tmp_path: Path, name: str) -> None:
        with pytest.raises(NotAProvider, match="linux_amd64"):
            check(tmp_path, a_zip({name: "x"}, mode=0o100755))

    def test_refuses_an_executable_that_may_not_be_executed(self, tmp_path: Path) -> None:
        content = a_zip({"terraform-provider-time_v0.1.0": "x"}, mode=0o100644)
        with pytest.raises(NotAProvider, match="may not be executed"):
            check(tmp_path, content)
        windows = Platform("windows", "amd64")
        assert check(tmp_path, a_zip({"terraform-provider-time_v0.1.0.exe": "x"}), windows).startswith("h1:")

    @pytest.mark.parametrize("version", ["9.9.9", "0.1.0-rc1", "0.1.0_x5_x6", "00.1.0"])
    def test_refuses_an_executable_that_is_named_after_another_version(self, tmp_path: Path, version: str) -> None:
        for ending in ("", "_x5", ".exe", "_x5.exe"):
            name = f"terraform-provider-time_v{version}{ending}"
            with pytest.raises(PackageOfAnotherVersion, match=r"another version than 0\.1\.0"):
                check(tmp_path, a_zip({name: "x"}, mode=0o100755))

    def test_refuses_an_executable_of_another_operating_system(self, tmp_path: Path) -> None:
        beginnings = {"linux": b"\x7fELF", "windows": b"MZ", "darwin": b"\xcf\xfa\xed\xfe", "freebsd": b"\x7fELF"}
        for built_for, beginning in beginnings.items():
            content = a_provider_zip(content=beginning + bytes(100))
            for named, expected in beginnings.items():
                platform = Platform(named, "amd64")
                if beginning == expected:
                    assert check(tmp_path, content, platform).startswith("h1:"), (built_for, named)
                else:
                    with pytest.raises(PackageOfAnotherPlatform, match=f"built for {platform}"):
                        check(tmp_path, content, platform)

    @pytest.mark.parametrize("beside", ["terraform-provider-time.md", "terraform-provider-time"])
    def test_refuses_what_tools_would_start_in_its_place(self, tmp_path: Path, beside: str) -> None:
        files = {"terraform-provider-time_v0.1.0": 0o100755, beside: 0o100644}
        content = zip_of([Entry(name=name, mode=mode) for name, mode in files.items()])
        with pytest.raises(NotAProvider, match=f"{beside} .* what the tools start"):
            check(tmp_path, content)

    def test_takes_files_and_folders_that_tools_pass_over(self, tmp_path: Path) -> None:
        names = ("terraform-provider-time_v0.1.0", "terraform-provider-time-notes", "terraform-provider-time.d/x")
        modes = (0o100755, 0o100644, 0o100644)
        content = zip_of([Entry(name=name, mode=mode) for name, mode in zip(names, modes, strict=True)])
        assert check(tmp_path, content).startswith("h1:")

    def test_refuses_links(self, tmp_path: Path) -> None:
        with pytest.raises(ArchiveMemberRefused):
            check(tmp_path, a_zip({"terraform-provider-time_v0.1.0": "/bin/sh"}, mode=0o120777))

    def test_hashes_differ_with_any_content(self, tmp_path: Path) -> None:
        hashes = {check(tmp_path, a_provider_zip(content=bytes([byte]))) for byte in range(5)}
        assert len(hashes) == 5
