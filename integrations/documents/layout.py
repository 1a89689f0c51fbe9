"""Lays a module's code out on disk as far as its documents need it: nothing else of the archive is written."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Final

from domain.registry.errors import DocumentsUnreadable
from integrations.archives.members import MEGABYTE, ArchiveLimits
from integrations.archives.module import CONFIGURATION, iterate_module

MOST_PARTS: Final = 100
LARGEST_FILE: Final = MEGABYTE
LARGEST_CODE: Final = 16 * MEGABYTE
LARGEST_README: Final = 256 * 1024
"""What is longer is cut."""
LARGEST_READMES: Final = 2 * MEGABYTE
"""Of all submodules and examples together; those of later ones are left out."""
SUBMODULES: Final = "modules"
EXAMPLES: Final = "examples"
_READMES: Final = ("readme.md", "readme", "readme.txt")
"""In order of preference."""


@dataclass(slots=True)
class Layout:
    """What was laid out: the folders with code, and the text that describes each."""

    folder: Path
    parts: set[str] = field(default_factory=set)
    readmes: dict[str, str] = field(default_factory=dict)

    @property
    def submodules(self) -> list[str]:
        """Paths of the folders below `modules`, in order."""
        return sorted(part for part in self.parts if part.startswith(f"{SUBMODULES}/"))

    @property
    def examples(self) -> list[str]:
        """Paths of the folders below `examples`, in order."""
        return sorted(part for part in self.parts if part.startswith(f"{EXAMPLES}/"))


def lay_out(archive: Path, folder: Path, limits: ArchiveLimits) -> Layout:
    """Write the code of the root module, the submodules and the examples into an empty folder.

    The members' paths are safe: what is published was checked, and the reader checks them again.

    Raises:
        DocumentsUnreadable: there is more code than is read.
        ArchiveUnreadable, ArchivePathRefused, ArchiveMemberRefused, ArchiveTooLarge: see iterate_module.
    """
    laid_out = Layout(folder)
    ranks: dict[str, int] = {}
    written = described = 0
    for member in iterate_module(archive, limits):
        path = PurePosixPath(member.path)
        part = "" if path.parent == PurePosixPath() else path.parent.as_posix()
        if part and part.split("/")[0] not in {SUBMODULES, EXAMPLES}:
            continue
        if path.name.endswith(CONFIGURATION):
            code = _whole(member.content, LARGEST_FILE)
            written += 0 if code is None else len(code)
            laid_out.parts.add(part)
            if code is None or written > LARGEST_CODE or len(laid_out.parts) > MOST_PARTS:
                raise DocumentsUnreadable(
                    f"only {MOST_PARTS} folders with {LARGEST_CODE} bytes of code are read, "
                    f"{LARGEST_FILE} bytes a file"
                )
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(code)
        elif path.name.lower() in _READMES:
            rank = _READMES.index(path.name.lower())
            if rank < ranks.get(part, len(_READMES)) and (not part or described < LARGEST_READMES):
                ranks[part] = rank
                laid_out.readmes[part] = _text(member.content)
                described += len(laid_out.readmes[part]) if part else 0
    return laid_out


def _whole(content: Iterator[bytes], most: int) -> bytes | None:
    pieces = bytearray()
    for piece in content:
        pieces += piece
        if len(pieces) > most:
            return None
    return bytes(pieces)


def _text(content: Iterator[bytes]) -> str:
    pieces = bytearray()
    for piece in content:
        pieces += piece[: LARGEST_README - len(pieces)]
    return pieces.decode(errors="replace")
