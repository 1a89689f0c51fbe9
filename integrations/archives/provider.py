"""Is this zip a package of the provider, for the platform it says?"""

import hashlib
import re
from pathlib import Path
from typing import Final

from domain.registry.errors import NotAProvider, PackageOfAnotherPlatform, PackageOfAnotherVersion
from domain.registry.hashes import h1
from domain.registry.names import Platform
from domain.registry.versions import canonical
from integrations.archives.members import ArchiveLimits
from integrations.archives.zipball import iterate_zipball

_VERSION: Final = re.compile(r"_v(\d.*?)(?:_x\d+)?(?:\.exe)?", re.ASCII)
"""Behind `terraform-provider-TYPE`, as goreleaser names executables. The tools take anything behind `_` or `.`."""
_BEGINNINGS: Final = {
    b"\x7fELF": "ELF",
    b"MZ": "PE",
    b"\xfe\xed\xfa\xce": "Mach-O",
    b"\xfe\xed\xfa\xcf": "Mach-O",
    b"\xce\xfa\xed\xfe": "Mach-O",
    b"\xcf\xfa\xed\xfe": "Mach-O",
    b"\xca\xfe\xba\xbe": "Mach-O",
}
_FORMATS: Final = {"darwin": "Mach-O", "windows": "PE"}
"""Of executables; every other operating system that Go builds for takes ELF."""
LONGEST_BEGINNING: Final = max(map(len, _BEGINNINGS))


def check_provider(path: Path, *, type: str, version: str, platform: Platform, limits: ArchiveLimits) -> str:
    """Read the whole zip; give its `h1:` hash, counted from what is in it.

    Raises:
        ArchiveUnreadable, ArchivePathRefused, ArchiveMemberRefused, ArchiveTooLarge, NotAProvider,
        PackageOfAnotherVersion, PackageOfAnotherPlatform.
    """
    files: dict[str, str] = {}
    executables: dict[str, bool] = {}
    beginnings: dict[str, bytes] = {}
    for member in iterate_zipball(path, limits):
        digest, beginning = hashlib.sha256(), b""
        for piece in member.content:
            digest.update(piece)
            beginning += piece[: LONGEST_BEGINNING - len(beginning)]
        files[member.path] = digest.hexdigest()
        executables[member.path] = member.executable
        beginnings[member.path] = beginning
    plain = f"terraform-provider-{type}"
    at_the_top = sorted(name for name in files if "/" not in name)
    found = next(
        (name for name in at_the_top if name == plain or name.startswith((f"{plain}_", f"{plain}."))), None
    )
    if found is None:
        raise NotAProvider(
            f"the zip for {platform} has no file {plain}_v… at its top; pack the executable under that name",
            platform=str(platform),
        )
    # The tools start the first of these, whatever it is. Windows knows no permission to execute, and everywhere
    # else they keep what the zip says.
    if platform.os != "windows" and not executables[found]:
        raise NotAProvider(
            f"{found} in the zip for {platform} is what the tools start, and may not be executed; pack the "
            "executable with its permissions, and nothing beside it that begins with its name",
            platform=str(platform),
        )
    _check_version(found, plain, version, platform)
    _check_format(found, beginnings[found], platform)
    return h1(files)


def _check_version(name: str, plain: str, version: str, platform: Platform) -> None:
    named = _VERSION.fullmatch(name.removeprefix(plain))
    if named is not None and canonical(named[1]) != version:
        raise PackageOfAnotherVersion(
            f"{name} in the zip for {platform} is named after another version than {version}; pack the executable "
            "of this one",
            platform=str(platform),
        )


def _check_format(name: str, beginning: bytes, platform: Platform) -> None:
    """Refuse an executable of another system; what begins like none may be a script."""
    is_of = next((of for start, of in _BEGINNINGS.items() if beginning.startswith(start)), None)
    expected = _FORMATS.get(platform.os, "ELF")
    if is_of not in {None, expected}:
        raise PackageOfAnotherPlatform(
            f"{name} in the zip for {platform} is an executable of another operating system ({is_of}, where "
            f"{platform.os} takes {expected}); pack what was built for {platform}",
            platform=str(platform),
        )
