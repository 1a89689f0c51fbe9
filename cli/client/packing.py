"""A module's folder as an archive: the same folder gives the same bytes, whoever packs it and when.

A published version never changes, and publishing the same bytes again is no error: so a pipeline may publish
at every run, as long as it packs with one version of Python and its zlib. It can't be taken back either: so what
is no module is refused, and what holds secrets by its name is left out.
"""

import gzip
import os
import stat
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Final

from pathspec import GitIgnoreSpec

from cli.client.errors import FileUnusable
from cli.client.file_errors import because
from cli.client.key_search import KeySearch
from domain.enumerating import first_of
from integrations.archives.members import ArchiveLimits
from integrations.archives.module import CONFIGURATION

IGNORE_FILE: Final = ".terraformignore"
LIKELY_SECRET: Final = (".*", "!.terraform.lock.hcl", "terraform.rc", "*.tfrc", "*.tfvars", "*.tfvars.json")
"""What configures a person's or a pipeline's tools, or holds their values; leaving it out is told."""
NO_PART: Final = (".git/", ".terraform/", "*.tfstate", "*.tfstate.*", "crash.log", f"/{IGNORE_FILE}")
"""What the tools leave behind; it is told too. A `!` rule of the ignore file takes in what either list names."""
EXECUTABLE: Final = 0o755
PLAIN: Final = 0o644
FOLDERS_NAMED: Final = 5


@dataclass(frozen=True, slots=True)
class ModuleFolder:
    """What of a folder is published."""

    directory: Path
    files: tuple[PurePosixPath, ...]
    size: int
    left_out: tuple[str, ...]
    """What might hold secrets, and is therefore not among the files."""
    no_part: tuple[str, ...]
    """What else is not: left behind by tools, or named in the ignore file; a folder for all that is in it."""


def survey_module(directory: Path) -> ModuleFolder:
    """Look at what is in a module's folder, without reading the files.

    Files that `.terraformignore` names (its rules are those of `.gitignore`) are left out.

    Raises:
        FileUnusable: the folder is no module, has a link or another special file, or more than the registry takes.
    """
    ignored = _Ignored(directory)
    _check_is_module(directory, ignored)
    limits = ArchiveLimits()
    files, size = [], 0
    for path, count in _files(directory, ignored):
        files.append(path)
        size += count
        if len(files) > limits.members or size > limits.unpacked_bytes:
            raise FileUnusable(
                f"{directory} has more than the {limits.members} files or {limits.unpacked_bytes} bytes that a "
                f"module may have: name the module's own folder, or name in {IGNORE_FILE} what is no part of it"
            )
    left_out, no_part = tuple(sorted(ignored.likely_secret)), tuple(sorted(ignored.no_part))
    return ModuleFolder(directory, tuple(sorted(files)), size, left_out, no_part)


def pack_module(folder: ModuleFolder, target: IO[bytes], *, most: int) -> None:
    """Write the files of a folder as tar.gz.

    Raises:
        FileUnusable: the archive gets more than `most` bytes, or a file can't be read or has an API key in it.
    """
    with (
        gzip.GzipFile(filename="", mode="wb", fileobj=target, compresslevel=9, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive,
    ):
        for path in folder.files:
            _add(archive, folder.directory, path)
            if target.tell() > most:
                raise FileUnusable(
                    f"{folder.directory} packs to more than the {most} bytes that the registry takes: name in "
                    f"{IGNORE_FILE} what is no part of the module"
                )


class _Searched:
    """A file that looks for API keys in what is read from it."""

    def __init__(self, content: IO[bytes], search: KeySearch) -> None:
        self._content = content
        self._search = search

    def read(self, size: int = -1, /) -> bytes:
        piece = self._content.read(size)
        self._search.look(piece)
        return piece


def _add(archive: tarfile.TarFile, directory: Path, path: PurePosixPath) -> None:
    try:
        with (directory / path).open("rb") as content:
            status = os.fstat(content.fileno())
            member = tarfile.TarInfo(str(path))
            member.size = status.st_size
            member.mode = EXECUTABLE if status.st_mode & stat.S_IXUSR else PLAIN
            archive.addfile(member, _Searched(content, KeySearch(str(directory / path))))
    except OSError as error:
        raise FileUnusable(f"{directory / path} can't be read {because(error)}") from error
    except (ValueError, UnicodeError) as error:
        raise FileUnusable(f"{directory / path} can't be packed ({error})") from error


def _check_is_module(directory: Path, ignored: "_Ignored") -> None:
    try:
        names = [entry.name for entry in directory.iterdir()]
    except OSError as error:
        raise FileUnusable(f"{directory} can't be read {because(error)}") from error
    if any(name.endswith(CONFIGURATION) and not ignored.has(name) for name in names):
        return
    modules = sorted(
        {
            f"{path.parent}"
            for depth in ("*/*", "*/*/*")
            for path in directory.glob(depth)
            if path.name.endswith(CONFIGURATION) and not ignored.has(str(path.parent.relative_to(directory)))
        }
    )
    raise FileUnusable(
        f"{directory} is no module, for it has no .tf or .tofu file of its own: "
        + (f"did you mean {first_of(modules, FOLDERS_NAMED)}?" if modules else "name the folder that holds them")
    )


def _files(directory: Path, ignored: "_Ignored") -> Iterator[tuple[PurePosixPath, int]]:
    def unreadable(error: OSError) -> None:
        raise FileUnusable(f"{error.filename} can't be read {because(error)}") from error

    for place, folders, names in os.walk(directory, onerror=unreadable):
        here = PurePosixPath(Path(place).relative_to(directory).as_posix())
        folders[:] = [name for name in folders if not ignored.leaves_out(f"{here / name}/")]
        for name in [*names, *folders]:
            path = here / name
            status = (directory / path).lstat()
            if stat.S_ISDIR(status.st_mode) or ignored.leaves_out(str(path)):
                continue
            if not stat.S_ISREG(status.st_mode):
                kind = "a link" if stat.S_ISLNK(status.st_mode) else "no plain file"
                raise FileUnusable(
                    f"{directory / path} is {kind}: put what it stands for in its place, "
                    f"or name it in {IGNORE_FILE}"
                )
            yield path, status.st_size


class _Ignored:
    """What is left out of a folder, which remembers what that was."""

    def __init__(self, directory: Path) -> None:
        file = directory / IGNORE_FILE
        try:
            rules = file.read_text().splitlines() if file.exists() else []
            self._rules = GitIgnoreSpec.from_lines([*LIKELY_SECRET, *NO_PART, *rules])
        except (OSError, ValueError) as error:
            raise FileUnusable(f"{file} can't be used ({error})") from error
        self.likely_secret: set[str] = set()
        self.no_part: set[str] = set()

    def has(self, path: str) -> bool:
        return bool(self._rules.check_file(path).include)

    def leaves_out(self, path: str) -> bool:
        found = self._rules.check_file(path)
        if found.include and found.index is not None:
            is_likely_secret = found.index < len(LIKELY_SECRET)
            (self.likely_secret if is_likely_secret else self.no_part).add(path)
        return bool(found.include)
