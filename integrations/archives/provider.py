"""Is this zip a package of the provider, for the platform it says?"""

import hashlib
from pathlib import Path

from domain.registry.errors import NotAProvider
from domain.registry.hashes import h1
from domain.registry.names import Platform
from integrations.archives.members import ArchiveLimits
from integrations.archives.zipball import iterate_zipball


def check_provider(path: Path, *, type: str, platform: Platform, limits: ArchiveLimits) -> str:
    """Read the whole zip; give its `h1:` hash, counted from what is in it.

    Raises:
        ArchiveUnreadable, ArchivePathRefused, ArchiveMemberRefused, ArchiveTooLarge, NotAProvider.
    """
    files: dict[str, str] = {}
    executables: dict[str, bool] = {}
    for member in iterate_zipball(path, limits):
        digest = hashlib.sha256()
        for piece in member.content:
            digest.update(piece)
        files[member.path] = digest.hexdigest()
        executables[member.path] = member.executable
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
    return h1(files)
