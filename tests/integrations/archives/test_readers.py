"""What one reader takes for another thing than the next, and what takes a reader long, is refused."""

import gzip
import io
import struct
import tarfile
import time
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from domain.registry.errors import (
    ArchiveMemberRefused,
    ArchivePathRefused,
    ArchiveTooLarge,
    ArchiveUnreadable,
)
from integrations.archives.members import MEGABYTE, ArchiveLimits
from integrations.archives.module import check_module
from integrations.archives.zipball import LARGEST_EXTRA
from tests.fixtures.archives import a_tar_gz, written
from tests.fixtures.hostile_archives import (
    Entry,
    tar_gz_with,
    zip_of,
    zip_that_is_a_tar,
    zip_with_a_second_directory,
)

LIMITS = ArchiveLimits()
MAIN = Entry(name="main.tf")


def check(folder: Path, content: bytes) -> str:
    return check_module(written(folder, content), LIMITS).value


def put(at: int, value: bytes) -> Callable[[bytearray], None]:
    def edit(header: bytearray) -> None:
        header[at : at + len(value)] = value

    return edit


class TestTwoReadersOfAZip:
    def test_a_second_directory_that_a_zip64_locator_points_to(self, tmp_path: Path) -> None:
        content = zip_with_a_second_directory()
        assert zipfile.ZipFile(io.BytesIO(content)).namelist() == ["evil.tf"]
        with pytest.raises(ArchiveUnreadable, match="second directory"):
            check(tmp_path, content)

    def test_a_zip_that_is_a_tar(self, tmp_path: Path) -> None:
        content = zip_that_is_a_tar()
        assert zipfile.ZipFile(io.BytesIO(content)).namelist() == ["main.tf"]
        assert tarfile.is_tarfile(io.BytesIO(content))
        with pytest.raises(ArchiveUnreadable, match="tar as well"):
            check(tmp_path, content)

    @pytest.mark.parametrize(
        "entry",
        [
            Entry(name="b.tf", mode=0o040755),
            Entry(name="b.tf", attributes=0x10),
            Entry(name="b/", mode=0o100644),
        ],
    )
    def test_a_member_that_is_a_file_and_a_folder(self, tmp_path: Path, entry: Entry) -> None:
        with pytest.raises(ArchiveMemberRefused, match="pack it anew"):
            check(tmp_path, zip_of([MAIN, entry]))

    @pytest.mark.parametrize("entry", [Entry(name="b/", mode=0o040755, attributes=0x10), Entry(name="b/", mode=0)])
    def test_a_folder_that_is_nothing_else_is_taken(self, tmp_path: Path, entry: Entry) -> None:
        assert check(tmp_path, zip_of([MAIN, entry])) == "zip"

    @pytest.mark.parametrize("kind", [0x0001, 0x7075, 0x756E, 0x000D, 0x6C78, 0x9901, 0x0000])
    def test_extra_fields_that_some_reader_obeys(self, tmp_path: Path, kind: int) -> None:
        extra = struct.pack("<2H", kind, 4) + bytes(4)
        for entry in (Entry(name="main.tf", extra=extra), Entry(name="main.tf", local_extra=extra)):
            with pytest.raises(ArchiveUnreadable, match="pack it without"):
                check(tmp_path, zip_of([entry]))

    def test_extra_fields_that_change_nothing_are_taken(self, tmp_path: Path) -> None:
        times, owner = struct.pack("<2HBL", 0x5455, 5, 1, 0), struct.pack("<2HBBLBL", 0x7875, 11, 1, 4, 0, 4, 0)
        entry = Entry(name="main.tf", local_extra=times + owner, extra=times + owner, comment=b"a comment")
        assert check(tmp_path, zip_of([entry])) == "zip"


class TestTwoReadersOfATar:
    @pytest.mark.parametrize(
        ("edit", "said"),
        [
            (put(124, b"\0\0\0\0000000005\0"), "number of another form"),  # the library reads no size there
            (put(136, b"not a time\0\0"), "number of another form"),  # the library ends the archive there
            (put(108, b"9999999\0"), "number of another form"),
            (put(136, b"\x80" + b"\xff" * 11), "beyond 64 bits"),  # Go reads no number there
            (
                put(345, b"p" * 131 + b"0" * 11 + b" " + b"0" * 11 + b"\0tar\0"),
                "star",
            ),  # Go cuts the path short there
        ],
    )
    def test_a_header_that_they_read_differently(
        self, tmp_path: Path, edit: Callable[[bytearray], None], said: str
    ) -> None:
        with pytest.raises(ArchiveUnreadable, match=said):
            check(tmp_path, tar_gz_with(edit))

    @pytest.mark.parametrize(
        ("mode", "kind"), [(0o040755, b"0"), (0o120777, b"0"), (0o100644, b"5"), (0o010644, b"0")]
    )
    def test_a_mode_of_another_kind_of_member(self, tmp_path: Path, mode: int, kind: bytes) -> None:
        with pytest.raises(ArchiveMemberRefused, match="mode"):
            check(tmp_path, tar_gz_with(put(100, b"%07o\0" % mode), kind=kind))

    @pytest.mark.parametrize(("mode", "kind"), [(0o100644, b"0"), (0o040755, b"5")])
    def test_a_mode_that_says_the_same_is_taken(self, tmp_path: Path, mode: int, kind: bytes) -> None:
        assert check(tmp_path, tar_gz_with(put(100, b"%07o\0" % mode), kind=kind)) == "tar.gz"

    @pytest.mark.parametrize("owner", [b"\x80\0\0\0\x70\0\0\0", b"\xff" * 8])
    def test_a_large_owner_is_taken(self, tmp_path: Path, owner: bytes) -> None:
        assert check(tmp_path, tar_gz_with(put(108, owner))) == "tar.gz"

    @pytest.mark.parametrize("kind", [b"x", b"g"])
    def test_an_extended_header_without_a_member(self, tmp_path: Path, kind: bytes) -> None:
        with pytest.raises(ArchiveUnreadable, match="without a member"):
            check(tmp_path, tar_gz_with(put(0, b"pax"), kind=kind))

    @pytest.mark.parametrize(
        "records",
        [
            b"12 mtime=no\n",
            b"8 uid=a\n",
            b"9 a\0b=cd\n",
            b"5 =a\n",
            b"9 a=b\n",
            b"x a=b\n",
            b"6 a=b\n6 a=",
            b"6 a=b\n" * 51,
        ],
    )
    def test_an_extended_header_that_some_reader_refuses(self, tmp_path: Path, records: bytes) -> None:
        with pytest.raises(ArchiveUnreadable, match="extended header"):
            check(tmp_path, _with_records(records))

    @pytest.mark.parametrize("records", [b"6 a=b\n" * 50, b"14 mtime=-1.5\n", b"7 uid=\n", b"8 a=b=\n\n"])
    def test_an_extended_header_that_all_read_is_taken(self, tmp_path: Path, records: bytes) -> None:
        assert check(tmp_path, _with_records(records)) == "tar.gz"


class TestPathsOfSomeSystem:
    @pytest.mark.parametrize("name", ["COM\u00b9.tf", "a/ nul /b.tf", "a\u00a0b.tf", "a\ue000.tf", "a\u0378.tf"])
    def test_names_that_are_none_somewhere(self, tmp_path: Path, name: str) -> None:
        with pytest.raises(ArchivePathRefused, match="rename it"):
            check(tmp_path, zip_of([MAIN, Entry(name=name)]))

    @pytest.mark.parametrize(
        ("first", "second"),
        [("\u1fb3\u0301.tf", "\u1fb4.tf"), ("a", "a/b/c.tf"), ("a/b/c.tf", "A/B"), ("a", "a/")],
    )
    def test_two_that_are_one(self, tmp_path: Path, first: str, second: str) -> None:
        others = [Entry(name=name) for name in ("a-.tf", "a.tf", "ab.tf", "zz.tf")]  # they sort around the two
        mode = 0o040755 if second.endswith("/") else 0o100644
        with pytest.raises(ArchivePathRefused, match="one file"):
            check(tmp_path, zip_of([MAIN, Entry(name=first), *others, Entry(name=second, mode=mode)]))

    def test_a_folder_may_come_twice_and_behind_its_files(self, tmp_path: Path) -> None:
        folder = Entry(name="a/", mode=0o040755)
        assert check(tmp_path, zip_of([MAIN, folder, Entry(name="a/b.tf"), Entry(name="a-.tf"), folder])) == "zip"


class TestTime:
    """Each took from seconds to minutes, or gigabytes, in readers that were written without a thought of it."""

    @pytest.mark.parametrize(
        "entries",
        [
            [Entry(name=f"{number}.tf", comment=b"c" * 4_000) for number in range(4_000)],
            [MAIN, *(Entry(name=f"{number:05}/{'a/' * 500}a.tf") for number in range(4_000))],
        ],
        ids=["comments", "folders in folders"],
    )
    def test_of_a_zip_is_a_second_and_memory_a_few_times_its_directory(
        self, tmp_path: Path, entries: list[Entry]
    ) -> None:
        path = written(tmp_path, _joined(entries))
        seconds, most = _spent(lambda: check_module(path, LIMITS))
        assert seconds < 1
        assert most < 64 * MEGABYTE

    def test_of_data_behind_a_packed_member_is_none(self, tmp_path: Path) -> None:
        packed = zlib.compress(b"x", wbits=-15) + bytes(30 * MEGABYTE)
        path = written(tmp_path, zip_of([Entry(name="main.tf", content=b"x", packed=packed)]))
        seconds, most = _spent(lambda: _refused(path, ArchiveUnreadable))
        assert seconds < 0.2
        assert most < 8 * MEGABYTE

    def test_of_zeros_behind_the_end_is_that_of_unpacking_them(self, tmp_path: Path) -> None:
        whole = tarfile.TarInfo("main.tf").tobuf(tarfile.USTAR_FORMAT) + bytes(60 * MEGABYTE)
        path = written(tmp_path, gzip.compress(whole, compresslevel=1))
        seconds, most = _spent(lambda: check_module(path, LIMITS))
        assert seconds < 0.2
        assert most < 8 * MEGABYTE

    def test_of_extra_fields_is_bounded(self, tmp_path: Path) -> None:
        extra = struct.pack("<2H", 0x5455, 0) * (LARGEST_EXTRA // 4 + 1)
        for entry in (Entry(name="main.tf", extra=extra), Entry(name="main.tf", local_extra=extra)):
            with pytest.raises(ArchiveUnreadable, match="extra fields"):
                check(tmp_path, zip_of([entry]))

    def test_of_overlapping_members_is_none(self, tmp_path: Path) -> None:
        # One member's bytes for each of a thousand names, as in the bombs that need no second packing.
        kernel = zlib.compress(bytes(10 * MEGABYTE), wbits=-15)
        entry = Entry(name="a.tf", content=bytes(10 * MEGABYTE), packed=kernel)
        local = entry.local()
        directory = b"".join(
            Entry(name=f"{number:04}", content=entry.content, packed=kernel).central(0) for number in range(5)
        )
        end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 5, 5, len(directory), len(local), 0)
        path = written(tmp_path, local + directory + end)
        seconds, _ = _spent(lambda: _refused(path, ArchiveUnreadable))
        assert seconds < 0.2

    def test_of_an_archive_in_an_archive_is_that_of_its_bytes(self, tmp_path: Path) -> None:
        inner = a_tar_gz({"main.tf": bytes(60 * MEGABYTE)})
        seconds, _ = _spent(lambda: check(tmp_path, a_tar_gz({"main.tf": "", "inner.tar.gz": inner})))
        assert seconds < 0.2

    @pytest.mark.parametrize("form", ["tar.gz", "zip"])
    def test_of_a_bomb_ends_where_its_bytes_are_too_many(self, tmp_path: Path, form: str) -> None:
        path = written(tmp_path, _gzip_bomb() if form == "tar.gz" else _zip_bomb())
        seconds, most = _spent(lambda: _refused(path, ArchiveTooLarge))
        assert seconds < 1
        assert most < 8 * MEGABYTE


def _gzip_bomb() -> bytes:
    member = tarfile.TarInfo("main.tf")
    member.size = 4096 * MEGABYTE  # the limit is passed long before they end
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    packed = [packer.compress(member.tobuf(tarfile.USTAR_FORMAT))]
    packed += [packer.compress(bytes(MEGABYTE)) for _ in range(80)]
    return b"".join(packed) + packer.flush()


def _zip_bomb() -> bytes:
    zeros = bytes(80 * MEGABYTE)
    return zip_of([Entry(name="main.tf", content=zeros, packed=zlib.compress(zeros, wbits=-15))])


def _with_records(records: bytes) -> bytes:
    extended = tarfile.TarInfo("pax")
    extended.type, extended.size = b"x", len(records)
    blocks = extended.tobuf(tarfile.USTAR_FORMAT) + records + bytes(-len(records) % 512)
    return gzip.compress(blocks + tarfile.TarInfo("main.tf").tobuf(tarfile.USTAR_FORMAT) + bytes(1024))


def _joined(entries: list[Entry]) -> bytes:
    # As zip_of does it, for very many.
    members, directory, at = [], [], 0
    for entry in entries:
        directory.append(entry.central(at))
        members.append(entry.local())
        at += len(members[-1])
    listed = b"".join(directory)
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, len(entries), len(entries), len(listed), at, 0)
    return b"".join((*members, listed, end))


def _refused(path: Path, error: type[Exception]) -> None:
    with pytest.raises(error):
        check_module(path, LIMITS)


def _spent(work: Callable[[], object]) -> tuple[float, int]:
    """Give the processor's seconds, and the bytes that were held at most; each measured alone."""
    started = time.process_time()
    work()
    seconds = time.process_time() - started
    tracemalloc.start()
    try:
        work()
        return seconds, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
