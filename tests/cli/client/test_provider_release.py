"""Releases as goreleaser leaves them."""

import hashlib
from pathlib import Path
from typing import Final

import pytest

from cli.client.errors import FileUnusable
from cli.client.provider_release import read_release
from domain.registry.errors import ChecksumsInvalid

STEM = "terraform-provider-time_1.2.3"
MANIFEST: Final = b'{"version": 1, "metadata": {"protocol_versions": ["5.0"]}}'


@pytest.fixture
def dist(tmp_path: Path) -> Path:
    directory = tmp_path / "dist"
    directory.mkdir()
    contents = {
        f"{STEM}_linux_amd64.zip": b"zip",
        f"{STEM}_darwin_arm64.zip": b"another zip",
        f"{STEM}_manifest.json": MANIFEST,
    }
    for name, content in contents.items():
        (directory / name).write_bytes(content)
    lines = [f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in contents.items()]
    (directory / f"{STEM}_SHA256SUMS").write_text("".join(lines))
    (directory / f"{STEM}_SHA256SUMS.sig").write_bytes(b"signature")
    (directory / "artifacts.json").write_text("[]")
    return directory


class TestReadRelease:
    def test_reads_name_and_version_from_the_files(self, dist: Path) -> None:
        release = read_release(dist, "platform")
        assert (str(release.address), release.version) == ("platform/time", "1.2.3")

    def test_gives_the_files_in_the_order_in_which_the_registry_reads_them(self, dist: Path) -> None:
        release = read_release(dist, "platform")
        assert [name.removeprefix(f"{STEM}_") for name, _ in release.files] == [
            "SHA256SUMS",
            "SHA256SUMS.sig",
            "manifest.json",
            "linux_amd64.zip",
            "darwin_arm64.zip",
        ]
        assert release.size == sum(file.stat().st_size for file in dist.iterdir()) - 2

    def test_finds_the_manifest_beside_the_sources_where_goreleaser_has_it_from(self, dist: Path) -> None:
        (dist / f"{STEM}_manifest.json").rename(dist.parent / "terraform-registry-manifest.json")
        name, path = read_release(dist, "platform").files[2]
        assert name == f"{STEM}_manifest.json"
        assert path == dist.parent / "terraform-registry-manifest.json"

    @pytest.mark.parametrize(
        ("missing", "sentence"),
        [
            (f"{STEM}_SHA256SUMS", "holds no terraform-provider-..._SHA256SUMS"),
            (f"{STEM}_SHA256SUMS.sig", "is missing: sign with"),
            (f"{STEM}_manifest.json", r'write \{"version": 1, .* sign SHA256SUMS anew'),
            (f"{STEM}_darwin_arm64.zip", f"lacks {STEM}_darwin_arm64.zip"),
        ],
    )
    def test_names_the_file_that_is_missing(self, dist: Path, missing: str, sentence: str) -> None:
        (dist / missing).unlink()
        with pytest.raises(FileUnusable, match=sentence):
            read_release(dist, "platform")

    def test_refuses_a_manifest_that_says_nothing(self, dist: Path) -> None:
        (dist / f"{STEM}_manifest.json").write_text("{}")
        with pytest.raises(FileUnusable, match="does not say which protocols it speaks: the manifest looks like"):
            read_release(dist, "platform")

    def test_refuses_a_folder_with_two_releases(self, dist: Path) -> None:
        (dist / "terraform-provider-time_1.2.4_SHA256SUMS").write_text("")
        with pytest.raises(FileUnusable, match="holds 2 releases"):
            read_release(dist, "platform")

    def test_refuses_a_folder_that_is_not_there(self, dist: Path) -> None:
        with pytest.raises(FileUnusable, match="is not a folder"):
            read_release(dist / "nothing", "platform")

    def test_refuses_checksums_without_a_package(self, dist: Path) -> None:
        (dist / f"{STEM}_SHA256SUMS").write_text(f"{'0' * 64}  {STEM}_manifest.json\n")
        with pytest.raises(FileUnusable, match=r"names no package of time 1\.2\.3"):
            read_release(dist, "platform")

    def test_refuses_checksums_that_the_tools_trip_over(self, dist: Path) -> None:
        (dist / f"{STEM}_SHA256SUMS").write_text("\n")
        with pytest.raises(ChecksumsInvalid, match="line 1"):
            read_release(dist, "platform")
