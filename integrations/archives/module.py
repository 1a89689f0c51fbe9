"""Is this archive a module?"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from domain.registry.errors import ArchiveUnreadable, NotAModule
from domain.registry.modules import ArchiveFormat
from integrations.archives.members import ArchiveLimits, Member, shown
from integrations.archives.tarball import iterate_tarball
from integrations.archives.zipball import iterate_zipball

CONFIGURATION: Final = (".tf", ".tf.json", ".tofu", ".tofu.json")
MOST_SHOWN: Final = 5
_GZIP_MAGIC: Final = b"\x1f\x8b"
_ZIP_MAGIC: Final = b"PK\x03\x04"


def archive_format(path: Path) -> ArchiveFormat:
    """Tell the kind of an archive by its first bytes, whatever its name is.

    Raises:
        ArchiveUnreadable: it is of no kind that is taken.
    """
    with path.open("rb") as file:
        magic = file.read(len(_ZIP_MAGIC))
    if magic.startswith(_GZIP_MAGIC):
        return ArchiveFormat.TAR_GZ
    if magic == _ZIP_MAGIC:
        return ArchiveFormat.ZIP
    raise ArchiveUnreadable("a module is a tar.gz or a zip with at least one file")


def iterate_module(path: Path, limits: ArchiveLimits) -> Iterator[Member]:
    """Give each file of a module's archive in turn, checked as it goes.

    Raises:
        ArchiveUnreadable, ArchivePathRefused, ArchiveMemberRefused, ArchiveTooLarge: while iterating.
    """
    if archive_format(path) is ArchiveFormat.TAR_GZ:
        return iterate_tarball(path, limits)
    return iterate_zipball(path, limits)


def check_module(path: Path, limits: ArchiveLimits) -> ArchiveFormat:
    """Read the whole archive; give its kind.

    Raises:
        ArchiveUnreadable, ArchivePathRefused, ArchiveMemberRefused, ArchiveTooLarge, NotAModule.
    """
    files = [member.path for member in iterate_module(path, limits)]
    folders = sorted({file.rpartition("/")[0] for file in files if file.endswith(CONFIGURATION)})
    if not folders:
        raise NotAModule("the archive has no .tf or .tofu file; pack what is in the module's folder")
    if folders[0] != "":
        raise NotAModule(
            f"no .tf or .tofu file is at the archive's top, only in {_listed(folders)}; "
            "pack what is in the module's folder, without the folder itself",
            folders=[shown(folder) for folder in folders[:MOST_SHOWN]],
        )
    return archive_format(path)


def _listed(folders: list[str]) -> str:
    more = len(folders) - MOST_SHOWN
    return ", ".join(map(shown, folders[:MOST_SHOWN])) + (f" and {more} more" if more > 0 else "")
