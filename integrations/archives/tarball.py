"""Module archives as tar.gz, read by a small strict reader.

The library's reader forgives what an attacker needs forgiven (a second gzip member, headers with wrong sums,
data behind the end, names that other headers override), and the tools that install the module are another
reader still. So exactly one form is taken, which all readers read alike: one gzip stream, POSIX or old GNU
headers, files and folders, extended headers that change neither path nor size.
"""

import re
import stat
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import BinaryIO, Final

from domain.registry.errors import ArchiveMemberRefused, ArchivePathRefused, ArchiveUnreadable
from integrations.archives.inflate import Inflater
from integrations.archives.members import CHUNK, ArchiveLimits, Budget, Member, Paths, shown

BLOCK: Final = 512
LONGEST_LENGTH: Final = 5  # digits of LARGEST_EXTENDED_HEADER
LARGEST_EXTENDED_HEADER: Final = 64 * 1024
MOST_RECORDS: Final = 50
"""Records of one extended header. Real ones have a dozen at most; each takes time to read."""
GZIP_WINDOW: Final = 31  # zlib's word for a gzip wrapper with the largest window
EXECUTE_BITS: Final = 0o111

_POSIX: Final = b"ustar\x0000"
_GNU: Final = b"ustar  \x00"
_FILE_TYPES: Final = frozenset({b"0", b"\0"})
_FOLDER_TYPE: Final = b"5"
_EXTENDED_TYPES: Final = frozenset({b"x", b"g"})
_LONG_NAME_TYPES: Final = frozenset({b"L", b"K"})
_OVERRIDES: Final = (
    *(b"path", b"linkpath", b"size", b"hdrcharset", b"GNU.sparse"),
    *(b"SCHILY.realsize", b"SCHILY.filetype", b"SUN.holesdata"),
)
# What readers take as numbers; the standard library's and Go's refuse the archive where they are none.
_NUMERIC: Final = (slice(108, 116), slice(116, 124), slice(136, 148), slice(329, 337), slice(337, 345))
_BASE_256: Final = 0x80
_BASE_256_NEGATIVE: Final = 0xFF
_PAX_NUMBERS: Final = {
    b"uid": re.compile(rb"\d{0,18}"),
    b"gid": re.compile(rb"\d{0,18}"),
    **dict.fromkeys((b"mtime", b"atime", b"ctime"), re.compile(rb"(?:-?\d{1,18}(?:\.\d*)?)?")),
}
_FOR_LATER: Final = slice(500, 512)  # unused by POSIX; others cut a path short where something stands there
_USTAR: Final = "pack with `tar --format=ustar`"


def iterate_tarball(path: Path, limits: ArchiveLimits) -> Iterator[Member]:
    """Give each file of the archive in turn; what is not read of one is checked all the same.

    Raises:
        ArchiveUnreadable, ArchivePathRefused, ArchiveMemberRefused, ArchiveTooLarge: while iterating.
    """
    with path.open("rb") as file:
        budget = Budget(limits, path.stat().st_size)
        stream = _Gunzip(file, budget)
        paths = Paths()
        extended = False
        while (header := stream.read(BLOCK)) != bytes(BLOCK):
            budget.add_member()
            size = _check_header(header)
            kind = header[156:157]
            extended = kind in _EXTENDED_TYPES
            if extended:
                _check_extended(stream.read(_padded(size, most=LARGEST_EXTENDED_HEADER))[:size])
                continue
            name = paths.add(_name(header), is_folder=kind == _FOLDER_TYPE)
            if kind == _FOLDER_TYPE:
                if size:
                    raise ArchiveUnreadable(f"a folder in the archive has content; {_USTAR}", path=shown(name))
                continue
            content = stream.take(size)
            yield Member(name, bool(_octal(header[100:108]) & EXECUTE_BITS), content)
            for _ in content:
                pass
            if any(stream.read(_padded(size) - size)):
                raise ArchiveUnreadable(f"the archive has data between its members; {_USTAR}")
        if extended:
            raise ArchiveUnreadable(f"the archive has an extended header without a member; {_USTAR}")
        stream.expect_zeros_to_the_end()
        paths.expect_no_two_alike()


class _Gunzip:
    """One gzip stream, unpacked no faster than it is read, and nothing behind it."""

    def __init__(self, file: BinaryIO, budget: Budget) -> None:
        self._pieces = _unpacked(file, budget)
        self._ready = b""

    def read(self, count: int) -> bytes:
        """Give exactly so many bytes."""
        return b"".join(self.take(count))

    def take(self, count: int) -> Iterator[bytes]:
        """Give exactly so many bytes, piece by piece."""
        while count:
            self._ready = self._ready or next(self._pieces, b"")
            if not self._ready:
                raise ArchiveUnreadable("the archive ends in the middle; send it whole")
            piece, self._ready = self._ready[:count], self._ready[count:]
            count -= len(piece)
            yield piece

    def expect_zeros_to_the_end(self) -> None:
        """Read what is left: padding alone, then the end of the file."""
        for piece in chain((self._ready,), self._pieces):
            if piece != bytes(len(piece)):  # far faster than to look at each byte
                raise ArchiveUnreadable("the archive has data behind its end; send it without")


def _unpacked(file: BinaryIO, budget: Budget) -> Iterator[bytes]:
    inflater = Inflater(GZIP_WINDOW)
    while not inflater.eof:
        packed = file.read(CHUNK)
        if not packed:
            raise ArchiveUnreadable("the archive ends in the middle; send it whole")
        for piece in inflater.feed(packed):
            budget.spend(len(piece))
            yield piece
    if inflater.unused or file.read(1):
        raise ArchiveUnreadable("the archive has data behind its gzip stream; send it without")


def _check_header(header: bytes) -> int:
    """Refuse what readers read differently; give the size of what follows."""
    blank = header[:148] + b" " * 8 + header[156:]
    if header[257:265] not in {_POSIX, _GNU} or _octal(header[148:156]) != sum(blank):
        raise ArchiveUnreadable(f"the archive has a damaged header; {_USTAR}")
    kind = header[156:157]
    if kind in _LONG_NAME_TYPES:
        raise ArchivePathRefused(f"a path needs more than 100 characters; {_USTAR}, which has room for 255")
    if kind not in _FILE_TYPES | _EXTENDED_TYPES | {_FOLDER_TYPE}:
        raise ArchiveMemberRefused(
            "the archive has a member that is neither file nor folder; replace links by what they point to",
            path=shown(header[:100].rstrip(b"\0").decode("latin-1")),
        )
    # Some packers write the kind into the mode too, and Go's reader believes it there.
    if stat.S_IFMT(_octal(header[100:108])) not in {0, stat.S_IFDIR if kind == _FOLDER_TYPE else stat.S_IFREG}:
        raise ArchiveMemberRefused(
            f"the archive has a member whose mode is that of another kind; {_USTAR}",
            path=shown(header[:100].rstrip(b"\0").decode("latin-1")),
        )
    for field in _NUMERIC:
        _check_number(header[field])
    return _octal(header[124:136])


def _name(header: bytes) -> bytes:
    name, prefix = (field.split(b"\0")[0] for field in (header[:100], header[345:500]))
    if header[257:265] == _GNU:
        if any(header[345:500]):  # times and sparse maps live there: readers disagree on them
            raise ArchiveUnreadable(f"the archive has GNU extensions; {_USTAR}")
        return name
    if any(header[_FOR_LATER]):
        raise ArchiveUnreadable(f"the archive has extensions of `star`; {_USTAR}")
    return prefix + b"/" + name if prefix else name


def _check_extended(content: bytes) -> None:
    """Refuse extended headers (POSIX, pax) that change what the plain header says."""
    position, records = 0, 0
    while position < len(content):
        records += 1
        if records > MOST_RECORDS:
            raise ArchiveUnreadable(
                f"the archive has an extended header of more than {MOST_RECORDS} records; {_USTAR}"
            )
        digits, blank, _ = content[position : position + LONGEST_LENGTH + 1].partition(b" ")
        length = int(digits) if digits.isdigit() else 0
        record = content[position : position + length]
        keyword, equals, value = record[len(digits) + 1 : -1].partition(b"=")
        if not (blank and keyword and equals and record.endswith(b"\n")) or len(record) != length:
            raise ArchiveUnreadable(f"the archive has a damaged extended header; {_USTAR}")
        if keyword.startswith(_OVERRIDES):
            raise ArchivePathRefused(f"an extended header overrides a member's path or size; {_USTAR}")
        number = _PAX_NUMBERS.get(keyword)
        if b"\0" in keyword or (number is not None and number.fullmatch(value) is None):
            raise ArchiveUnreadable(f"the archive has a damaged extended header; {_USTAR}")
        position += length


def _octal(field: bytes) -> int:
    # NUL ends a number; in front of one, readers disagree on what it is.
    digits = field.rstrip(b"\0 ").lstrip(b" ")
    if not digits.isdigit() or b"8" in digits or b"9" in digits:
        if not digits:
            return 0
        raise ArchiveUnreadable(f"the archive has a header with a number of another form; {_USTAR}")
    return int(digits, 8)


def _check_number(field: bytes) -> None:
    """Refuse what is no number. Beside octal digits, a large owner or an early time is written in base 256."""
    if field[0] == _BASE_256:
        number = int.from_bytes(field[1:], "big")
    elif field[0] == _BASE_256_NEGATIVE:
        number = int.from_bytes(field, "big", signed=True)
    else:
        number = _octal(field)
    if not -(2**63) <= number < 2**63:
        raise ArchiveUnreadable(f"the archive has a header with a number beyond 64 bits; {_USTAR}")


def _padded(size: int, *, most: int | None = None) -> int:
    if most is not None and size > most:
        raise ArchiveUnreadable(f"the archive has an extended header of more than {most} bytes; {_USTAR}")
    return -(-size // BLOCK) * BLOCK
