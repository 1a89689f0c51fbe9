"""What is common to the kinds of archives: limits, members, and which paths they may have."""

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from domain.registry.errors import ArchivePathRefused, ArchiveTooLarge

MEGABYTE: Final = 1024 * 1024
CHUNK: Final = 256 * 1024
LONGEST_NAME: Final = 255
LONGEST_PATH: Final = 1024
# Device names on Windows, with any extension: a checkout there would open the device.
_DEVICES: Final = frozenset(
    {"con", "prn", "aux", "nul", *(f"{port}{number}" for port in ("com", "lpt") for number in range(1, 10))}
)
_INVISIBLE: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})  # Unicode's categories
_FORBIDDEN: Final = frozenset('\\:*?"<>|')


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
            raise ArchiveTooLarge(f"the archive unpacks to more than {self._limits.ratio} times its size")

    def add_member(self) -> None:
        """Count a member.

        Raises:
            ArchiveTooLarge: there are too many.
        """
        self.members += 1
        if self.members > self._limits.members:
            raise ArchiveTooLarge(f"the archive has more than {self._limits.members} members")


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
        self._files: set[str] = set()
        self._folders: set[str] = set()

    def add(self, raw: bytes, *, is_folder: bool) -> str:
        """Take in a member's path; give it without a leading `./` and without a folder's slash.

        Raises:
            ArchivePathRefused: it could leave the archive, or be another member's on some system.
        """
        path = _checked(raw, is_folder=is_folder)
        if not path:
            return path  # the archive's own root, as `tar .` writes it
        # One file system composes letters, another ignores case: what would be one file there is one here.
        parts = unicodedata.normalize("NFC", path).casefold().split("/")
        folded = "/".join(parts)
        parents = {"/".join(parts[:end]) for end in range(1, len(parts))}
        taken = folded in self._files or (not is_folder and folded in self._folders)
        if taken or self._files & parents:
            raise ArchivePathRefused("two members are one file on some system; rename one", path=shown(path))
        (self._folders if is_folder else self._files).add(folded)
        self._folders |= parents
        return path


def shown(path: str) -> str:
    """Give a path as an error may show it: short, and harmless to terminals."""
    return path[:200].encode("unicode_escape").decode()


def _checked(raw: bytes, *, is_folder: bool) -> str:
    try:
        path = raw.decode()
    except UnicodeDecodeError:
        raise ArchivePathRefused("a path is not UTF-8", path=shown(raw.decode("latin-1"))) from None
    if path in {".", "./"} and is_folder:
        return ""
    path = path.removeprefix("./")
    inner = path.removesuffix("/") if is_folder else path
    reason = _refusal(inner)
    if reason is not None:
        raise ArchivePathRefused(f"a path {reason}", path=shown(path))
    return inner


def _refusal(path: str) -> str | None:
    if len(path.encode()) > LONGEST_PATH:
        return f"has more than {LONGEST_PATH} bytes"
    if path.startswith("/"):
        return "is absolute; pack relative to the module's folder (`tar -C FOLDER .`)"
    for part in path.split("/"):
        reason = _part_refusal(part)
        if reason is not None:
            return reason
    return None


def _part_refusal(part: str) -> str | None:
    refusals = {
        "has an empty, `.` or `..` part; pack relative to the module's folder (`tar -C FOLDER .`)": (
            part in {"", ".", ".."}
        ),
        f"has a name of more than {LONGEST_NAME} bytes": len(part.encode()) > LONGEST_NAME,
        "has an invisible character": any(unicodedata.category(character) in _INVISIBLE for character in part),
        "has a character that is no part of a name on some system": not _FORBIDDEN.isdisjoint(part),
        "has a name that ends with a dot or a blank": part.endswith((".", " ")),
        "has a name that is a device on Windows": part.partition(".")[0].strip().casefold() in _DEVICES,
    }
    return next((sentence for sentence, applies in refusals.items() if applies), None)
