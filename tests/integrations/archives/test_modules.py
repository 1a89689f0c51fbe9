"""Module archives: what tools make is taken, and nothing that two readers could read differently."""

import gzip
import io
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.errors import PlatformError
from domain.registry.errors import (
    ArchiveMemberRefused,
    ArchivePathRefused,
    ArchiveTooLarge,
    ArchiveUnreadable,
    NotAModule,
)
from domain.registry.modules import ArchiveFormat
from integrations.archives.members import ArchiveLimits
from integrations.archives.module import check_module, iterate_module
from tests.fixtures.archives import (
    A_MODULE,
    a_streamed_zip,
    a_tar,
    a_tar_gz,
    a_tar_gz_with,
    a_zip,
    written,
)

LIMITS = ArchiveLimits()


def check(folder: Path, content: bytes, limits: ArchiveLimits = LIMITS) -> ArchiveFormat:
    return check_module(written(folder, content), limits)


def a_member(name: str, kind: bytes = tarfile.REGTYPE, *, link: str = "", size: int = 0) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, link, size
    return info


def commented(comment: bytes) -> bytes:
    content = a_zip()
    return content[:-2] + struct.pack("<H", len(comment)) + comment


class TestWhatToolsMake:
    @pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
    def test_takes_each_form_of_tar(self, tmp_path: Path, form: int) -> None:
        archive = a_tar_gz({f"./{name}": text for name, text in A_MODULE.items()}, form=form, folders=("./",))
        assert check(tmp_path, archive) is ArchiveFormat.TAR_GZ

    def test_takes_extended_headers_that_add_and_override_nothing(self, tmp_path: Path) -> None:
        info = a_member("a.tf")
        info.pax_headers = {"comment": "a commit", "LIBARCHIVE.xattr.com.apple.provenance": "AQ=="}
        assert check(tmp_path, a_tar_gz_with(info, form=tarfile.PAX_FORMAT)) is ArchiveFormat.TAR_GZ

    def test_takes_paths_of_two_hundred_characters_where_the_form_has_room(self, tmp_path: Path) -> None:
        path = "/".join(["a" * 49] * 4) + ".tf"
        [member] = iterate_module(written(tmp_path, a_tar_gz({path: "x"})), LIMITS)
        assert member.path == path

    @pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
    def test_takes_zips(self, tmp_path: Path, method: int) -> None:
        assert check(tmp_path, a_zip(method=method)) is ArchiveFormat.ZIP

    def test_takes_zips_with_sizes_behind_their_members_as_go_writes_them(self, tmp_path: Path) -> None:
        assert check(tmp_path, a_streamed_zip()) is ArchiveFormat.ZIP

    @pytest.mark.parametrize("comment", [b"0123456789abcdef" * 2, b"c" * 0xFFFF, b"PK"])
    def test_takes_zips_with_a_comment_as_git_writes_them(self, tmp_path: Path, comment: bytes) -> None:
        assert check(tmp_path, commented(comment)) is ArchiveFormat.ZIP

    @pytest.mark.parametrize("pack", [a_tar_gz, a_zip])
    def test_gives_each_file_as_it_was_packed(self, tmp_path: Path, pack: object) -> None:
        assert callable(pack)
        files = {"a.tf": b"", "b/c.tf": bytes(range(256)) * 5000, "d.tf": b"x"}
        members = iterate_module(written(tmp_path, pack(files)), LIMITS)
        assert {member.path: b"".join(member.content) for member in members} == files

    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
    @given(content=st.binary(max_size=2000), times=st.sampled_from([1, 200, 5000]))
    def test_gives_any_content_whole(self, tmp_path: Path, content: bytes, times: int) -> None:
        for pack in (a_tar_gz, a_zip):
            members = iterate_module(
                written(tmp_path, pack({"a.tf": content * times})), ArchiveLimits(ratio=10**6)
            )
            assert [b"".join(member.content) for member in members] == [content * times]


class TestNoModule:
    def test_configuration_is_needed(self, tmp_path: Path) -> None:
        with pytest.raises(NotAModule):
            check(tmp_path, a_tar_gz({"README.md": "hello"}))

    @pytest.mark.parametrize("name", ["main.tf", "main.tf.json", "main.tofu", "main.tofu.json"])
    def test_one_file_of_configuration_at_the_top_is_enough(self, tmp_path: Path, name: str) -> None:
        assert check(tmp_path, a_tar_gz({name: "", "README.md": "", "files/a.txt": ""}))

    def test_a_folder_around_the_module_hides_it(self, tmp_path: Path) -> None:
        with pytest.raises(NotAModule, match="only in repo-1234, repo-1234/modules/inner; pack"):
            check(tmp_path, a_tar_gz({f"repo-1234/{name}": text for name, text in A_MODULE.items()}))

    @pytest.mark.parametrize("top", [{}, {"README.md": "hello"}])
    def test_submodules_alone_are_none(self, tmp_path: Path, top: dict[str, str]) -> None:
        files = {**top, "modules/b/main.tf": "", "modules/a/main.tofu": "", "docs/x.md": ""}
        with pytest.raises(NotAModule) as refused:
            check(tmp_path, a_tar_gz(files))
        assert refused.value.facts == {"folders": ["modules/a", "modules/b"]}

    def test_many_folders_are_not_all_shown(self, tmp_path: Path) -> None:
        with pytest.raises(NotAModule, match="m0, m1, m2, m3, m4 and 4 more; pack"):
            check(tmp_path, a_tar_gz({f"m{number}/main.tf": "" for number in range(9)}))

    @pytest.mark.parametrize(
        "content", [b"", b"main.tf", bytes(512), a_tar(A_MODULE), b"\xfd7zXZ\0rest", b"BZh9rest"]
    )
    def test_other_files_are_refused(self, tmp_path: Path, content: bytes) -> None:
        with pytest.raises(ArchiveUnreadable):
            check(tmp_path, content)


class TestPaths:
    @pytest.mark.parametrize(
        "name",
        [
            "../x.tf",
            "a/../../x.tf",
            "/etc/x.tf",
            "C:\\x.tf",
            "C:x.tf",
            "a\\b.tf",
            "a//b.tf",
            "a/./b.tf",
            "x.tf.",
            "x.tf ",
            "nul",
            "aux.tf",
            "a\u202eb.tf",
            "a\u200bb.tf",
            "a\nb.tf",
        ],
    )
    def test_what_leaves_the_archive_or_is_no_name_somewhere_is_refused(self, tmp_path: Path, name: str) -> None:
        for content in (a_tar_gz({"main.tf": "", name: ""}), a_zip({"main.tf": "", name: ""})):
            with pytest.raises((ArchivePathRefused, ArchiveUnreadable)):
                check(tmp_path, content)

    @pytest.mark.parametrize("name", ["-" * 256 + ".tf", "a/" * 512 + ".tf"])
    def test_what_is_too_long_for_some_system_is_refused(self, tmp_path: Path, name: str) -> None:
        with pytest.raises(ArchivePathRefused, match="more than"):
            check(tmp_path, a_zip({name: ""}))

    def test_bytes_that_are_no_text_are_refused(self, tmp_path: Path) -> None:
        info = a_member("a\udcff.tf")
        with pytest.raises(ArchivePathRefused):
            check(tmp_path, a_tar_gz_with(info))

    @pytest.mark.parametrize(
        ("first", "second"),
        [
            ("a.tf", "a.tf"),
            ("a.tf", "A.TF"),
            ("stra\u00dfe.tf", "STRASSE.tf"),
            ("\u00e9.tf", "e\u0301.tf"),
            ("a", "a/b.tf"),
            ("a/b.tf", "A"),
        ],
    )
    def test_two_members_that_are_one_file_somewhere_are_refused(
        self, tmp_path: Path, first: str, second: str
    ) -> None:
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
            for name in (first, second):
                archive.addfile(a_member(name))
        with pytest.raises(ArchivePathRefused):
            check(tmp_path, gzip.compress(buffer.getvalue()))


class TestMembers:
    @pytest.mark.parametrize(
        "info",
        [
            a_member("l", tarfile.SYMTYPE, link="main.tf"),
            a_member("l", tarfile.SYMTYPE, link="/etc/passwd"),
            a_member("l", tarfile.SYMTYPE, link="missing"),
            a_member("l", tarfile.LNKTYPE, link="main.tf"),
            a_member("l", tarfile.CHRTYPE),
            a_member("l", tarfile.BLKTYPE),
            a_member("l", tarfile.FIFOTYPE),
            a_member("l", tarfile.CONTTYPE),
            a_member("l", tarfile.GNUTYPE_SPARSE),
            a_member("l", b"V"),
            a_member("l", b"Z"),
        ],
    )
    def test_only_files_and_folders_are_taken_from_a_tar(self, tmp_path: Path, info: tarfile.TarInfo) -> None:
        with pytest.raises(ArchiveMemberRefused):
            check(tmp_path, a_tar_gz_with(info))

    @pytest.mark.parametrize("mode", [0o120777, 0o060600, 0o020600, 0o010600, 0o140600])
    def test_only_files_and_folders_are_taken_from_a_zip(self, tmp_path: Path, mode: int) -> None:
        with pytest.raises(ArchiveMemberRefused):
            check(tmp_path, a_zip(mode=mode))

    def test_names_that_another_header_carries_are_refused(self, tmp_path: Path) -> None:
        for form in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
            with pytest.raises(ArchivePathRefused, match="ustar"):
                check(tmp_path, a_tar_gz({"main.tf": "", "d/" * 60 + "x.tf": ""}, form=form))

    @pytest.mark.parametrize(
        "keyword",
        ["path", "linkpath", "size", "GNU.sparse.name", "hdrcharset", "SCHILY.realsize", "SUN.holesdata"],
    )
    def test_extended_headers_that_override_are_refused(self, tmp_path: Path, keyword: str) -> None:
        info = a_member("a.tf")
        info.pax_headers = {keyword: "0"}
        with pytest.raises(ArchivePathRefused):
            check(tmp_path, a_tar_gz_with(info, form=tarfile.PAX_FORMAT))


class TestDamage:
    def test_a_tar_cut_anywhere_is_refused(self, tmp_path: Path) -> None:
        whole = a_tar_gz()
        for end in range(2, len(whole) - 1, 7):
            with pytest.raises(ArchiveUnreadable):
                check(tmp_path, whole[:end])

    def test_a_zip_cut_anywhere_is_refused(self, tmp_path: Path) -> None:
        whole = a_zip()
        for end in range(4, len(whole) - 1, 7):
            with pytest.raises(ArchiveUnreadable):
                check(tmp_path, whole[:end])

    @pytest.mark.parametrize("behind", [b"x", b"\0", a_tar_gz(), a_zip()])
    def test_data_behind_the_end_is_refused(self, tmp_path: Path, behind: bytes) -> None:
        for whole in (a_tar_gz(), a_zip()):
            with pytest.raises(ArchiveUnreadable):
                check(tmp_path, whole + behind)

    def test_a_second_archive_in_the_same_stream_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(ArchiveUnreadable, match="behind its end"):
            check(tmp_path, gzip.compress(a_tar(A_MODULE) + a_tar({"evil.tf": ""})))

    def test_a_second_gzip_stream_is_refused(self, tmp_path: Path) -> None:
        tar = a_tar(A_MODULE)
        with pytest.raises(ArchiveUnreadable):
            check(tmp_path, gzip.compress(tar[:1024]) + gzip.compress(tar[1024:]))

    def test_data_in_front_of_a_zip_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(ArchiveUnreadable):
            check(tmp_path, b"PK\x03\x04" + a_zip())

    @pytest.mark.parametrize(
        "hidden", [a_zip({"evil.tf": ""}), a_zip({"evil.tf": ""})[-22:], b"PK\5\6", b"PK\5\6" * 9]
    )
    def test_a_comment_that_hides_another_directory_is_refused(self, tmp_path: Path, hidden: bytes) -> None:
        with pytest.raises(ArchiveUnreadable):
            check(tmp_path, commented(hidden))

    @pytest.mark.parametrize("field", [6, 8, 14, 18, 22, 30])
    def test_a_member_that_says_other_than_the_directory_is_refused(self, tmp_path: Path, field: int) -> None:
        content = bytearray(a_zip())
        content[field] ^= 1
        with pytest.raises(PlatformError):
            check(tmp_path, bytes(content))

    def test_two_entries_for_one_member_are_refused(self, tmp_path: Path) -> None:
        content = a_zip({"a.tf": "x"})
        at = content.index(b"PK\x01\x02")
        entry = content[at:-22]
        other = entry.replace(b"a.tf", b"b.tf")
        end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 2, 2, 2 * len(entry), at, 0)
        with pytest.raises(ArchiveUnreadable):
            check(tmp_path, content[:at] + entry + other + end)

    @pytest.mark.parametrize("pack", [a_zip, a_streamed_zip])
    def test_any_changed_byte_of_a_zip_gives_the_same_files_or_a_refusal(
        self, tmp_path: Path, pack: Callable[[dict[str, str | bytes]], bytes]
    ) -> None:
        whole = pack({"a.tf": "hello " * 20, "b.tf": "x"})
        for position in range(len(whole)):
            changed = bytearray(whole)
            changed[position] ^= 0x41
            try:
                members = iterate_module(written(tmp_path, bytes(changed)), LIMITS)
                found = [b"".join(member.content) for member in members]
            except PlatformError:
                continue
            assert found == [b"hello " * 20, b"x"]

    @pytest.mark.parametrize("at", [0, 4, 8, 12])
    def test_sizes_behind_a_member_that_are_not_the_directorys_are_refused(self, tmp_path: Path, at: int) -> None:
        content = bytearray(a_streamed_zip())
        content[content.index(b"PK\x07\x08") + at] ^= 1
        with pytest.raises(ArchiveUnreadable, match="behind a member"):
            check(tmp_path, bytes(content))


class TestLimits:
    def test_a_zip_that_understates_its_size_is_refused(self, tmp_path: Path) -> None:
        content = bytearray(a_zip({"a.tf": bytes(100_000)}))
        at = content.index(b"PK\x01\x02")
        for offset in (22, at + 24):
            content[offset : offset + 4] = struct.pack("<L", 10)
        with pytest.raises(ArchiveUnreadable, match="larger"):
            check(tmp_path, bytes(content))

    def test_many_members_are_too_many(self, tmp_path: Path) -> None:
        files = {f"{number}.tf": "" for number in range(101)}
        for content in (a_tar_gz(files), a_zip(files)):
            with pytest.raises(ArchiveTooLarge, match="members"):
                check(tmp_path, content, ArchiveLimits(members=100))
            check(tmp_path, content, ArchiveLimits(members=101))

    def test_real_bytes_are_counted(self, tmp_path: Path) -> None:
        for content in (a_tar_gz({"a.tf": bytes(60_000)}), a_zip({"a.tf": bytes(60_000)})):
            with pytest.raises(ArchiveTooLarge):
                check(tmp_path, content, ArchiveLimits(unpacked_bytes=50_000))
