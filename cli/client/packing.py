"""A module's folder as an archive: the same folder gives the same bytes, whoever packs it and when.

A published version never changes, and publishing the same bytes again is no error: so a pipeline may publish
at every run, as long as it packs with one version of Python and its zlib.
"""

import gzip
import os
import stat
import tarfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Final

from pathspec import GitIgnoreSpec

from cli.client.errors import FileUnusable

IGNORE_FILE: Final = ".terraformignore"
ALWAYS_IGNORED: Final = (".git/", ".terraform/", "*.tfstate", "*.tfstate.*", "crash.log", f"/{IGNORE_FILE}")
"""What is no part of a module and may hold secrets; a `!` rule of the ignore file takes it in all the same."""
EXECUTABLE: Final = 0o755
PLAIN: Final = 0o644


def pack_module(directory: Path, target: IO[bytes]) -> int:
    """Write the files of a folder as tar.gz; give how many they are.

    Files that `.terraformignore` names (its rules are those of `.gitignore`) are left out.

    Raises:
        FileUnusable: the folder has nothing to pack, a link or another special file, or a file can't be read.
    """
    files = sorted(_files(directory))
    if not files:
        raise FileUnusable(
            f"{directory} has no files to publish: name the folder that holds the module's .tf files"
        )
    with (
        gzip.GzipFile(filename="", mode="wb", fileobj=target, compresslevel=9, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive,
    ):
        for path in files:
            _add(archive, directory, path)
    return len(files)


def _add(archive: tarfile.TarFile, directory: Path, path: PurePosixPath) -> None:
    try:
        with (directory / path).open("rb") as content:
            status = os.fstat(content.fileno())
            member = tarfile.TarInfo(str(path))
            member.size = status.st_size
            member.mode = EXECUTABLE if status.st_mode & stat.S_IXUSR else PLAIN
            archive.addfile(member, content)
    except OSError as error:
        raise FileUnusable(
            f"{directory / path} can't be read ({error.strerror or 'it changed meanwhile'})"
        ) from error
    except (ValueError, UnicodeError) as error:
        raise FileUnusable(f"{directory / path} can't be packed ({error})") from error


def _files(directory: Path) -> Iterator[PurePosixPath]:
    ignored = _ignored(directory)

    def unreadable(error: OSError) -> None:
        raise FileUnusable(f"{error.filename} can't be read ({error.strerror})") from error

    for place, folders, names in os.walk(directory, onerror=unreadable):
        here = PurePosixPath(Path(place).relative_to(directory).as_posix())
        folders[:] = [name for name in folders if not ignored.match_file(f"{here / name}/")]
        for name in [*names, *folders]:
            path = here / name
            mode = (directory / path).lstat().st_mode
            if stat.S_ISDIR(mode) or ignored.match_file(str(path)):
                continue
            if not stat.S_ISREG(mode):
                kind = "a link" if stat.S_ISLNK(mode) else "no plain file"
                raise FileUnusable(
                    f"{directory / path} is {kind}: put what it stands for in its place, "
                    f"or name it in {IGNORE_FILE}"
                )
            yield path


def _ignored(directory: Path) -> GitIgnoreSpec:
    file = directory / IGNORE_FILE
    try:
        rules = file.read_text().splitlines() if file.exists() else []
        return GitIgnoreSpec.from_lines([*ALWAYS_IGNORED, *rules])
    except (OSError, ValueError) as error:
        raise FileUnusable(f"{file} can't be used ({error})") from error
