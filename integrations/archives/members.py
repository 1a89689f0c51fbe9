"""What is common to the kinds of archives: limits, members, and which paths they may have."""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from domain.registry.errors import ArchivePathRefused, ArchiveTooLarge

MEGABYTE: Final = 1024 * 1024
CHUNK: Final = 256 * 1024
LONGEST_NAME: Final = 255
LONGEST_PATH: Final = 1024
_SLASH: Final = "\0"  # sorts before all that a path may have
_FORBIDDEN: Final = re.compile(r'[\\:*?"<>|]')
# Device names on Windows, with any extension: a checkout there would open the device.
_DEVICE: Final = re.compile(r"/ *(?:con|prn|aux|nul|com[1-9\u00b9\u00b2\u00b3]|lpt[1-9\u00b9\u00b2\u00b3]) *[./]")


@dataclass(frozen=True, slots=True)
class ArchiveLimits:
    """How much an archive may unpack to. Real bytes are counted, whatever its headers say.

    The ratio counts only beyond `ratio_free_bytes`, since small text packs very well.
    """

    members: int = 10_000
    unpacked_bytes: int = 512 * MEGABYTE
    ratio: int = 50
    ratio_free_bytes: int = 64 * MEGABYTE


class Budget:
    """Counts what an archive has unpacked to so far, and stops it where a limit is passed."""

    def __init__(self, limits: ArchiveLimits, packed_bytes: int) -> None:
        """Begin at nothing."""
        self._limits = limits
        self._packed_bytes = max(packed_bytes, 1)
        self.unpacked_bytes = 0
        self.members = 0

    def spend(self, count: int) -> None:
        """Count bytes that came out.

        Raises:
            ArchiveTooLarge: they are too many, or too many for the archive's own size.
        """
        self.unpacked_bytes += count
        if self.unpacked_bytes > self._limits.unpacked_bytes:
            raise ArchiveTooLarge(
                f"the archive unpacks to more than {self._limits.unpacked_bytes} bytes; pack less"
            )
        ratio = self.unpacked_bytes / self._packed_bytes
        if self.unpacked_bytes > self._limits.ratio_free_bytes and ratio > self._limits.ratio:
            raise ArchiveTooLarge(
                f"the archive unpacks to more than {self._limits.ratio} times its size; leave out the padding"
            )

    def add_member(self) -> None:
        """Count a member.

        Raises:
            ArchiveTooLarge: there are too many.
        """
        self.members += 1
        if self.members > self._limits.members:
            raise ArchiveTooLarge(f"the archive has more than {self._limits.members} members; pack fewer")


@dataclass(frozen=True, slots=True)
class Member:
    """A file of an archive. Its content is there until the next member is asked for."""

    path: str
    executable: bool
    content: Iterator[bytes] = field(repr=False)


class Paths:
    """The paths of one archive: each safe, each one file on every system."""

    def __init__(self) -> None:
        """Begin with none."""
        self._found: list[tuple[str, bool, str]] = []

    def add(self, raw: bytes, *, is_folder: bool) -> str:
        """Take in a member's path; give it without a leading `./` and without a folder's slash.

        Raises:
            ArchivePathRefused: it could leave the archive, or is no path on some system.
        """
        path = _checked(raw, is_folder=is_folder)
        if path:  # else the archive's own root, as `tar .` writes it
            self._found.append((_folded(path), is_folder, path))
        return path

    def expect_no_two_alike(self) -> None:
        """Compare all that came in, when no more comes.

        It is done once and in order, since to remember every folder of every path takes memory without end.

        Raises:
            ArchivePathRefused: two members are one file on some system, or a file is another one's folder.
        """
        before, was_folder = "", True
        for folded, is_folder, path in sorted(self._found):
            same = folded == before and not (is_folder and was_folder)
            if same or (not was_folder and folded.startswith(before + _SLASH)):
                raise ArchivePathRefused("two members are one file on some system; rename one", path=shown(path))
            before, was_folder = folded, is_folder


def shown(path: str) -> str:
    """Give a path as an error may show it: short, and harmless to terminals."""
    return path[:200].encode("unicode_escape").decode()


def _checked(raw: bytes, *, is_folder: bool) -> str:
    try:
        path = raw.decode()
    except UnicodeDecodeError:
        raise ArchivePathRefused("a path is not UTF-8; rename it", path=shown(raw.decode("latin-1"))) from None
    if path in {".", "./"} and is_folder:
        return ""
    path = path.removeprefix("./")
    inner = path.removesuffix("/") if is_folder else path
    reason = _refusal(inner)
    if reason is not None:
        raise ArchivePathRefused(f"a path {reason}", path=shown(path))
    return inner


def _folded(path: str) -> str:
    """Give what is one for paths that some system takes for one; what a folder holds sorts right behind it.

    One file system composes letters, another takes them apart, a third ignores case.
    """
    apart = unicodedata.normalize("NFD", path).casefold()
    return unicodedata.normalize("NFD", apart).replace("/", _SLASH)


def _refusal(path: str) -> str | None:
    if len(path.encode()) > LONGEST_PATH:
        return f"has more than {LONGEST_PATH} bytes; shorten it"
    if path.startswith("/"):
        return "is absolute; pack relative to the module's folder (`tar -C FOLDER .`)"
    parts = f"/{path.lower()}/"
    refusals = {
        "has an empty, `.` or `..` part; pack relative to the module's folder (`tar -C FOLDER .`)": any(
            part in parts for part in ("//", "/./", "/../")
        ),
        f"has a name of more than {LONGEST_NAME} bytes; shorten it": (
            max(map(len, path.encode().split(b"/"))) > LONGEST_NAME
        ),
        "has an invisible or unknown character; rename it": not path.isprintable(),
        "has a character that is no part of a name on some system; rename it": _FORBIDDEN.search(path),
        "has a name that ends with a dot or a blank; rename it": "./" in parts or " /" in parts,
        "has a name that is a device on Windows; rename it": _DEVICE.search(parts),
    }
    return next((sentence for sentence, applies in refusals.items() if applies), None)
