"""How large uploads may be."""

from dataclasses import dataclass, field

from integrations.archives.members import MEGABYTE, ArchiveLimits


@dataclass(frozen=True, slots=True)
class RegistryLimits:
    """Limits of one file of an upload, packed, and of what it unpacks to."""

    module_bytes: int = 100 * MEGABYTE
    module_archive: ArchiveLimits = field(default_factory=ArchiveLimits)
    package_bytes: int = 500 * MEGABYTE
    package_archive: ArchiveLimits = field(
        default_factory=lambda: ArchiveLimits(members=1_000, unpacked_bytes=2048 * MEGABYTE)
    )
