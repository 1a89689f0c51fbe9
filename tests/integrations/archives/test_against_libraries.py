"""The small strict readers against the standard library's forgiving ones, on archives made and bent at random.

Whatever ours takes, a slow checker takes too (the library, and the rules written down plainly), and both find the
same files in it.
"""

import gzip
import io
import stat
import struct
import tarfile
import zipfile
import zlib
from pathlib import Path
from typing import Final, Literal, TypeVar

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from domain.errors import PlatformError
from integrations.archives.members import ArchiveLimits
from integrations.archives.module import iterate_module
from tests.fixtures.archives import a_tar_gz, a_zip, written
from tests.fixtures.hostile_archives import BLOCK, Entry, summed, zip_of

T = TypeVar("T")
LIMITS = ArchiveLimits()
EACH_TIME = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
UNSAFE = frozenset({"", ".", ".."})


def mostly(good: list[T], bad: list[T]) -> st.SearchStrategy[T]:
    """Draw what is taken nine times of ten, so that there is something to compare, and one bend is seen alone."""
    return st.sampled_from([*good * (9 * len(bad)), *bad * len(good)])


NAMES = mostly(
    ["a", "b.tf", "d/", "d/c.tf", "./e", "f/g/h.tf", "\u00e9.tf", "i", "j", "k", "l.tf"],
    ["d", "../f", "/g", "D/C.TF", "e\u0301.tf", "x\0y", "h//i", ".", "./", "f/", "B.tf"],
)
CONTENTS = st.sampled_from([b"", b"x", b"hello" * 30, b"PK\3\4", b"y" * 512, bytes(600)])
KINDS = mostly([b"0", b"\0"], [b"5", b"1", b"2", b"3", b"6", b"7", b"S", b"x", b"L"])
FORMS: Final[tuple[Literal[0, 1, 2], ...]] = (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT)
PAX = st.dictionaries(mostly(["comment", "mtime", "uid"], ["path", "size"]), mostly(["1"], ["x"]), max_size=2)
TAR_MEMBERS = st.lists(st.tuples(NAMES, KINDS, CONTENTS, PAX), max_size=4)
# Beginnings of the fields of a header, and what attackers write there.
FIELDS = st.sampled_from(
    [0, 1, 99, 100, 106, 108, 116, 124, 134, 136, 148, 156, 157, 257, 263, 329, 337, 345, 476, 508]
)
BYTES = st.sampled_from(b"\0 01457/.~axgLKS\x80\xff")

TIMES = struct.pack("<2HBL", 0x5455, 5, 1, 9)
ZIP64 = struct.pack("<2H2Q", 1, 16, 1, 1)
EXTRAS = mostly([b"", TIMES, TIMES * 2], [ZIP64, struct.pack("<2H", 0x7075, 0), b"x"])
ENTRIES = st.builds(
    Entry,
    name=NAMES,
    content=CONTENTS,
    packed=st.none(),
    mode=mostly([0, 0o644, 0o755, 0o100644], [0o040755, 0o120777]),
    attributes=mostly([0, 1], [0x10]),
    extra=EXTRAS,
    local_extra=EXTRAS,
    comment=mostly([b"", b"c"], [b"PK\6\7" + bytes(16)]),
)
MARKS = (b"PK\3\4", b"PK\1\2", b"PK\5\6")


class Refused(Exception):
    """The slow checker does not take an archive."""


def slow_tar(content: bytes) -> dict[str, bytes]:
    """Read a tar.gz by the library.

    Raises:
        Refused: it does not take it, or a rule is broken.
    """
    gzip_stream = zlib.decompressobj(31)
    tar = gzip_stream.decompress(content) + gzip_stream.flush()
    refuse_if(not gzip_stream.eof or bool(gzip_stream.unused_data), "more than one gzip stream")
    files: dict[str, bytes] = {}
    folders: set[str] = set()
    with tarfile.open(fileobj=io.BytesIO(tar), mode="r:") as archive:
        for member in archive.getmembers():
            is_folder = member.type == tarfile.DIRTYPE
            refuse_if(member.type not in {tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.DIRTYPE}, "a link or device")
            refuse_if(not {"path", "linkpath", "size"}.isdisjoint(member.pax_headers), "overridden")
            kind = stat.S_IFDIR if is_folder else stat.S_IFREG
            refuse_if(stat.S_IFMT(member.mode) not in {0, kind}, "another kind")
            file = archive.extractfile(member)
            data = b"" if file is None else file.read()
            refuse_if((file is None) != is_folder, "neither file nor folder")
            refuse_if(len(data) != member.size, "cut off")
            take(files, folders, member.name, None if is_folder else data)
        behind = tar[archive.offset :]
        refuse_if(not behind or any(behind), "data behind the end")
    refuse_if(not folders.isdisjoint(files), "a file and a folder")
    return files


def slow_zip(content: bytes) -> dict[str, bytes]:
    """Read a zip by the library.

    Raises:
        Refused: it does not take it, or a rule is broken.
    """
    files: dict[str, bytes] = {}
    folders: set[str] = set()
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        refuse_if(b"PK\5\6" in archive.comment, "another directory")
        used = 0
        for info in sorted(archive.infolist(), key=lambda info: info.header_offset):
            refuse_if(info.header_offset != used, "data between members, or an overlap")
            mode = info.external_attr >> 16
            kind = stat.S_IFDIR if info.is_dir() else stat.S_IFREG
            refuse_if(stat.S_IFMT(mode) not in {0, kind}, "a link, or another kind")
            refuse_if(bool(info.external_attr & 0x10) and not info.is_dir(), "a file and a folder")
            data = archive.read(info)  # holds it to name, size and checksum
            refuse_if(info.is_dir() and bool(data), "a folder with content")
            name_length, extra_length = struct.unpack_from("<2H", content, used + 26)
            local_name = content[used + 30 : used + 30 + name_length]
            refuse_if(local_name.decode() != info.orig_filename, "another name")
            descriptor = 16 if info.flag_bits & 8 else 0
            used += 30 + name_length + extra_length + info.compress_size + descriptor
            take(files, folders, info.filename, None if info.is_dir() else data)
        refuse_if(used != archive.start_dir, "data in front of the directory")
    refuse_if(not folders.isdisjoint(files), "a file and a folder")
    return files


def refuse_if(applies: bool, reason: str) -> None:
    if applies:
        raise Refused(reason)


def take(files: dict[str, bytes], folders: set[str], name: str, data: bytes | None) -> None:
    if data is None and name in {".", "./"}:
        return
    name = name.removeprefix("./")
    parts = name.split("/") if data is not None else name.removesuffix("/").split("/")
    refuse_if(not UNSAFE.isdisjoint(parts) or not name.isprintable(), "a path")
    folders |= {"/".join(parts[:end]) for end in range(1, len(parts) + (data is None))}
    if data is not None:
        refuse_if(name in files, "twice")
        files[name] = data


def compare(folder: Path, content: bytes) -> None:
    """Read with both."""
    try:
        members = iterate_module(written(folder, content), LIMITS)
        found = {member.path: b"".join(member.content) for member in members}
    except PlatformError as refusal:
        event(refusal.code)
        return
    event("taken")
    try:
        expected = slow_zip(content) if content[:2] == b"PK" else slow_tar(content)
    except Exception as error:
        raise AssertionError(f"taken, and refused by the slow checker: {error!r}") from error
    assert found == expected


class TestTar:
    @EACH_TIME
    @given(
        members=TAR_MEMBERS,
        form=st.sampled_from(FORMS),
        bends=st.lists(st.tuples(st.integers(0, 9), FIELDS, BYTES), max_size=2),
        summed_up=st.sampled_from([True, True, True, False]),
        cut=st.one_of(st.none(), st.none(), st.none(), st.integers(0, 3000)),
    )
    def test_takes_nothing_that_the_library_reads_differently(
        self,
        tmp_path: Path,
        members: list[tuple[str, bytes, bytes, dict[str, str]]],
        form: Literal[0, 1, 2],
        bends: list[tuple[int, int, int]],
        summed_up: bool,
        cut: int | None,
    ) -> None:
        blocks: list[bytearray] = []
        for name, kind, content, pax in members:
            info = tarfile.TarInfo(name)
            info.type, info.size, info.pax_headers = kind, len(content), pax
            whole = info.tobuf(form, errors="surrogateescape") + content + bytes(-len(content) % BLOCK)
            blocks += [bytearray(whole[at : at + BLOCK]) for at in range(0, len(whole), BLOCK)]
        headers = [block for block in blocks if block[257:262] == b"ustar"]
        for at, field, value in bends:
            if headers:
                headers[at % len(headers)][field] = value
        if summed_up:
            for header in headers:
                header[:] = summed(header)
        tar = b"".join(map(bytes, blocks)) + bytes(2 * BLOCK)
        compare(tmp_path, gzip.compress(tar[:cut], compresslevel=1))


class TestZip:
    @EACH_TIME
    @given(
        comment=mostly([b"", b"a comment"], [b"PK\5\6" + bytes(18), zip_of([])]),
        entries=st.lists(ENTRIES, min_size=1, max_size=3),
        packed=st.booleans(),
        bends=st.one_of(
            st.just([]), st.lists(st.tuples(st.sampled_from(MARKS), st.integers(4, 45), BYTES), max_size=2)
        ),
    )
    def test_takes_nothing_that_the_library_reads_differently(
        self,
        tmp_path: Path,
        comment: bytes,
        entries: list[Entry],
        packed: bool,
        bends: list[tuple[bytes, int, int]],
    ) -> None:
        whole = zip_of([each.deflated() for each in entries] if packed else entries)
        content = bytearray(whole[:-2] + struct.pack("<H", len(comment)) + comment)
        for mark, offset, value in bends:
            at = content.rfind(mark) + offset
            if at < len(content):
                content[at] = value
        compare(tmp_path, bytes(content))


@pytest.mark.parametrize("content", [a_tar_gz(), a_zip()])
def test_the_slow_checker_takes_what_is_good(content: bytes) -> None:
    assert (slow_zip(content) if content[:2] == b"PK" else slow_tar(content)).keys() == {
        "main.tf",
        "modules/inner/main.tf",
    }
