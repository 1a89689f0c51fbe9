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
    found = [name for name in files if name.removesuffix(".exe") == plain or name.startswith(f"{plain}_")]
    if not found:
        raise NotAProvider(f"the zip for {platform} has no file {plain}_v… at its top", platform=str(platform))
    # Windows knows no such permission, and the tools keep what the zip says everywhere else.
    if platform.os != "windows" and not any(executables[name] for name in found):
        raise NotAProvider(
            f"{found[0]} in the zip for {platform} may not be executed; pack it with its permissions",
            platform=str(platform),
        )
    return h1(files)
