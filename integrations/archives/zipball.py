"""Zip archives, read by a small strict reader.

A zip says everything twice, in front of each member and in its directory at the end, and readers differ in
whom they believe. Here both must say the same, and the members must fill the file from its first byte to the
directory without gap or overlap: so there is one way to read it, and nothing else in it.
"""

import stat
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from domain.registry.errors import ArchiveMemberRefused, ArchiveUnreadable
from integrations.archives.inflate import Inflater
from integrations.archives.members import CHUNK, ArchiveLimits, Budget, Member, Paths, shown

_END: Final = struct.Struct("<4s4H2LH")
_CENTRAL: Final = struct.Struct("<4s6H3L5H2L")
_LOCAL: Final = struct.Struct("<4s5H3L2H")
_DESCRIPTOR: Final = struct.Struct("<4s3L")
_END_MARK: Final = b"PK\x05\x06"
_CENTRAL_MARK: Final = b"PK\x01\x02"
_LOCAL_MARK: Final = b"PK\x03\x04"
_DESCRIPTOR_MARK: Final = b"PK\x07\x08"

STORED: Final = 0
DEFLATED: Final = 8
# Bits 1 and 2 are hints to the packer, 3 puts sizes behind the member (Go's writer does), 11 says UTF-8.
KNOWN_FLAGS: Final = 0x080E
SIZES_FOLLOW: Final = 0x0008
UTF8: Final = 0x0800
LATEST_VERSION: Final = 63  # of the format, ten times: 6.3
LONGEST_COMMENT: Final = 0xFFFF  # what its length has room for
LARGEST_DIRECTORY: Final = 16 * 1024 * 1024
# Times, owners, padding and marks, which change nothing of a member. Others override what the plain fields say
# (zip64 sizes, a second path, for some readers a mode or what a link points to), so what is not here is not taken.
HARMLESS_EXTRAS: Final = frozenset(
    {0x000A, 0x4453, 0x5455, 0x5855, 0x6375, 0x7855, 0x7875, 0xA11E, 0xCAFE, 0xD935}
)
LARGEST_EXTRA: Final = 512
_FOLDER_ATTRIBUTE: Final = 0x10  # of MS-DOS
_ZIP64_LOCATOR_SIZE: Final = 20
_ZIP64_LOCATOR_MARK: Final = b"PK\x06\x07"
_ANEW: Final = "pack it anew"
_TAR_MARK: Final = b"ustar"
_TAR_MARK_AT: Final = 257


@dataclass(frozen=True, slots=True)
class _Entry:
    name: bytes
    flags: int
    method: int
    crc: int
    packed: int
    unpacked: int
    mode: int
    offset: int


def iterate_zipball(path: Path, limits: ArchiveLimits) -> Iterator[Member]:
    """Give each file of the archive in turn; what is not read of one is checked all the same.

    Raises:
        ArchiveUnreadable, ArchivePathRefused, ArchiveMemberRefused, ArchiveTooLarge: while iterating.
    """
    with path.open("rb") as file:
        size = path.stat().st_size
        budget = Budget(limits, size)
        entries, directory_at = _directory(file, size, budget)
        paths = Paths()
        position = 0
        for entry in sorted(entries, key=lambda entry: entry.offset):
            if entry.offset != position:
                raise ArchiveUnreadable(f"members of the zip overlap, or there is data between them; {_ANEW}")
            name = paths.add(entry.name, is_folder=entry.name.endswith(b"/"))
            position = _check_local(file, entry)
            if not entry.name.endswith(b"/"):
                content = _unpack(file, entry, budget)
                yield Member(name, bool(entry.mode & 0o111), content)
                for _ in content:
                    pass
            elif entry.packed or entry.unpacked:
                raise ArchiveUnreadable(f"a folder in the zip has content; {_ANEW}", path=shown(name))
            position += entry.packed + _check_descriptor(file, entry, position + entry.packed)
        if position != directory_at:
            raise ArchiveUnreadable(f"the zip has data between its members and its directory; {_ANEW}")
        paths.expect_no_two_alike()


def _directory(file: BinaryIO, size: int, budget: Budget) -> tuple[list[_Entry], int]:
    file.seek(max(size - _END.size - LONGEST_COMMENT, 0))
    tail = file.read()
    # The last mark, as all readers look for it; `git archive` writes the commit behind it.
    at = tail.rfind(_END_MARK)
    if at < 0 or len(tail) - at < _END.size:
        raise ArchiveUnreadable("this is no zip, or not all of one; send a zip, and send it whole")
    _, disk, first_disk, here, count, length, offset, comment = _END.unpack_from(tail, at)
    end = size - len(tail) + at
    if end + _END.size + comment != size:
        raise ArchiveUnreadable("the zip has data behind its end; send it without")
    if disk or first_disk or here != count or offset + length != end or length > LARGEST_DIRECTORY:
        raise ArchiveUnreadable(
            "the zip's directory is not where it says; pack it anew, in one part and without zip64"
        )
    file.seek(_TAR_MARK_AT)
    if file.read(len(_TAR_MARK)) == _TAR_MARK:
        raise ArchiveUnreadable(f"the zip is a tar as well, and some would unpack that; {_ANEW}")
    file.seek(offset)
    # A view, since every cut of bytes would copy the whole rest.
    directory, entries = memoryview(file.read(length)), []
    if bytes(directory[-_ZIP64_LOCATOR_SIZE:]).startswith(_ZIP64_LOCATOR_MARK):
        raise ArchiveUnreadable(f"the zip points to a second directory, and some would read that; {_ANEW}")
    while directory:
        budget.add_member()
        entry, directory = _central(directory)
        entries.append(entry)
    if len(entries) != count:
        raise ArchiveUnreadable(f"the zip's directory has another number of members than it says; {_ANEW}")
    return entries, offset


def _central(directory: memoryview) -> tuple[_Entry, memoryview]:
    if len(directory) < _CENTRAL.size:
        raise ArchiveUnreadable(f"the zip's directory ends in the middle; {_ANEW}")
    fields = _CENTRAL.unpack_from(directory)
    mark, made_by, needed, flags, method, _, _, crc, packed, unpacked = fields[:10]
    name_length, extra_length, comment_length, disk, _, attributes, offset = fields[10:]
    path, rest = _cut(directory[_CENTRAL.size :], name_length)
    name = bytes(path)
    extra, rest = _cut(rest, extra_length)
    _, rest = _cut(rest, comment_length)
    if mark != _CENTRAL_MARK or disk:
        raise ArchiveUnreadable(f"the zip's directory is damaged; {_ANEW}")
    if needed & 0xFF > LATEST_VERSION:
        raise ArchiveUnreadable(
            "a member of the zip asks for a reader of a later version; pack it for an older one"
        )
    if flags & ~KNOWN_FLAGS or method not in {STORED, DEFLATED}:
        raise ArchiveUnreadable(
            "a member of the zip is encrypted or packed by a method that is not taken; pack it with deflate and "
            "no password",
            method=method,
        )
    if not (name.isascii() or flags & UTF8):
        raise ArchiveUnreadable(
            "a path in the zip is not marked as UTF-8; rename it, or pack with a tool that marks it"
        )
    _check_extras(extra)
    mode = attributes >> 16
    _check_kind(name, stat.S_IFMT(mode), folder_attribute=bool(attributes & _FOLDER_ATTRIBUTE))
    if made_by >> 8 not in {3, 19}:  # only Unix and macOS write modes
        mode = 0
    return _Entry(name, flags, method, crc, packed, unpacked, mode, offset), rest


def _check_kind(name: bytes, kind: int, *, folder_attribute: bool) -> None:
    """Refuse links and devices, and what is a folder for one reader and a file for another."""
    if kind not in {0, stat.S_IFREG, stat.S_IFDIR}:
        raise ArchiveMemberRefused(
            "the zip has a member that is neither file nor folder; replace links by what they point to",
            path=shown(name.decode("latin-1")),
        )
    is_folder = name.endswith(b"/")
    if kind == (stat.S_IFREG if is_folder else stat.S_IFDIR) or (folder_attribute and not is_folder):
        raise ArchiveMemberRefused(
            "the zip has a member that is a folder by its name and a file by its mode, or the other way round; "
            f"{_ANEW}",
            path=shown(name.decode("latin-1")),
        )


def _check_local(file: BinaryIO, entry: _Entry) -> int:
    """Compare what stands in front of the member; give where its content begins, with the file there."""
    file.seek(entry.offset)
    head = file.read(_LOCAL.size)
    if len(head) != _LOCAL.size or head[:4] != _LOCAL_MARK:
        raise ArchiveUnreadable(f"a member of the zip is not where its directory says; {_ANEW}")
    _, _, flags, method, _, _, crc, packed, unpacked, name_length, extra_length = _LOCAL.unpack(head)
    name, extra = file.read(name_length), file.read(extra_length)
    _check_extras(memoryview(extra))
    sizes = (crc, packed, unpacked)
    expected = (entry.crc, entry.packed, entry.unpacked)
    unknown_yet = bool(flags & SIZES_FOLLOW) and sizes == (0, 0, 0)
    if (name, flags, method) != (entry.name, entry.flags, entry.method) or not (unknown_yet or sizes == expected):
        raise ArchiveUnreadable(
            f"a member of the zip has another header than its directory says; {_ANEW}",
            path=shown(entry.name.decode("latin-1")),
        )
    return file.tell()


def _check_descriptor(file: BinaryIO, entry: _Entry, position: int) -> int:
    """Compare the sizes that follow a member, where they do; give how many bytes they take."""
    if not entry.flags & SIZES_FOLLOW:
        return 0
    file.seek(position)
    found = file.read(_DESCRIPTOR.size)
    if found != _DESCRIPTOR.pack(_DESCRIPTOR_MARK, entry.crc, entry.packed, entry.unpacked):
        raise ArchiveUnreadable(f"the sizes behind a member of the zip are not those of its directory; {_ANEW}")
    return _DESCRIPTOR.size


def _unpack(file: BinaryIO, entry: _Entry, budget: Budget) -> Iterator[bytes]:
    """Give the member's content, and hold it to its size and checksum."""
    inflater = Inflater(-zlib.MAX_WBITS)
    left, count, crc = entry.packed, 0, 0
    while left:
        packed = file.read(min(CHUNK, left))
        if not packed:
            raise ArchiveUnreadable("the zip ends in the middle; send it whole")
        left -= len(packed)
        for piece in inflater.feed(packed) if entry.method == DEFLATED else (packed,):
            budget.spend(len(piece))
            count, crc = count + len(piece), zlib.crc32(piece, crc)
            if count > entry.unpacked:
                raise ArchiveUnreadable(f"a member of the zip is larger than its directory says; {_ANEW}")
            yield piece
        if inflater.eof and left:
            break  # no reader needs what follows, and zlib would keep all of it
    whole = entry.method == STORED or (inflater.eof and not inflater.unused and not left)
    if not whole or (count, crc) != (entry.unpacked, entry.crc):
        raise ArchiveUnreadable(
            f"a member of the zip has another size or checksum than its directory says; {_ANEW}"
        )


def _check_extras(extra: memoryview) -> None:
    if len(extra) > LARGEST_EXTRA:
        raise ArchiveUnreadable(
            f"a member of the zip has more than {LARGEST_EXTRA} bytes of extra fields; pack it without"
        )
    while extra:
        if len(extra) < 4:  # noqa: PLR2004  a kind and a length of two bytes each
            raise ArchiveUnreadable(f"the zip has a damaged extra field; {_ANEW}")
        kind, length = struct.unpack_from("<2H", extra)
        if kind not in HARMLESS_EXTRAS:
            raise ArchiveUnreadable(
                "a member of the zip has an extra field that some readers obey (zip64 sizes, a second path, a "
                "mode); pack it without",
                kind=f"{kind:#06x}",
            )
        _, extra = _cut(extra[4:], length)


def _cut(content: memoryview, length: int) -> tuple[memoryview, memoryview]:
    if len(content) < length:
        raise ArchiveUnreadable(f"the zip's directory ends in the middle; {_ANEW}")
    return content[:length], content[length:]
