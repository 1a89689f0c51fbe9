"""Versions as they are published: Semantic Versioning 2.0, narrowed to what every tool reads alike.

One version string that a tool cannot parse hides a provider from everybody (its whole list fails), so the rule
is strict where something is published and nothing is ever corrected in silence.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import total_ordering
from typing import Final

from domain.registry.errors import VersionInvalid

LONGEST: Final = 255
CORE_NUMBERS: Final = 3
# Both command line tools read numbers as 64 bit integers.
LARGEST_NUMBER: Final = 2**63 - 1

_NUMBER: Final = r"(?:0|[1-9][0-9]*)"
_IDENTIFIER: Final = rf"(?:{_NUMBER}|[0-9]*[A-Za-z-][0-9A-Za-z-]*)"
_VERSION: Final = re.compile(
    rf"({_NUMBER})\.({_NUMBER})\.({_NUMBER})(?:-({_IDENTIFIER}(?:\.{_IDENTIFIER})*))?", re.ASCII
)


@total_ordering
@dataclass(frozen=True, slots=True)
class Version:
    """A published version. It is ordered by precedence, and `str` gives its one spelling.

    A pre-release comes before its release, numbers before words, fewer identifiers before more.
    """

    major: int
    minor: int
    patch: int
    prerelease: tuple[int | str, ...] = ()

    @classmethod
    def parse(cls, written: str) -> "Version":
        """Read a version.

        Raises:
            VersionInvalid: it is longer than 255 characters, has a `v`, build metadata, leading zeros, a number
                beyond 64 bits, or is no version at all.
        """
        if len(written) > LONGEST:
            raise VersionInvalid(f"a version has at most {LONGEST} characters")
        match = _VERSION.fullmatch(written)
        if match is None:
            raise VersionInvalid(_advice(written), version=written)
        major, minor, patch = (int(number) for number in match.group(1, 2, 3))
        prerelease = tuple(int(part) if part.isdecimal() else part for part in (match[4] or "").split(".") if part)
        numbers = [major, minor, patch, *(part for part in prerelease if isinstance(part, int))]
        if max(numbers) > LARGEST_NUMBER:
            raise VersionInvalid("a number in a version fits into 64 bits", version=written)
        return cls(major, minor, patch, prerelease)

    def __str__(self) -> str:
        """Give the canonical form, which is also the only one that `parse` takes."""
        core = f"{self.major}.{self.minor}.{self.patch}"
        return f"{core}-{'.'.join(map(str, self.prerelease))}" if self.prerelease else core

    def __lt__(self, other: "Version") -> bool:
        """Tell whether the other version has precedence."""
        return precedence(str(self)) < precedence(str(other))


def precedence(published: str) -> tuple[object, ...]:
    """Give what published versions are sorted by, in a third of the time that it takes to parse them."""
    core, _, prerelease = published.partition("-")
    # Numbers sort before words; a release sorts after all its pre-releases.
    identifiers = (
        (0, int(part), "") if part.isdecimal() else (1, 0, part) for part in prerelease.split(".") if part
    )
    return *map(int, core.split(".")), not prerelease, tuple(identifiers)


def canonical(asked: str) -> str | None:
    """Give the one spelling of a version that somebody asks for; None of what no published version can be.

    Tools read `v1.0` as 1.0.0, so whoever asks for that means it; what is published is never corrected.
    """
    core, dash, prerelease = asked.removeprefix("v").partition("-")
    missing = CORE_NUMBERS - len(core.split("."))
    try:
        return str(Version.parse(core + ".0" * missing + dash + prerelease))
    except VersionInvalid:
        return None


def _advice(written: str) -> str:
    if written[:1] in {"v", "V"}:
        return "a version is written without `v`, as in 1.2.3"
    if "+" in written:
        return "a version is published without build metadata (the part from `+` on)"
    return "a version is MAJOR.MINOR.PATCH with an optional pre-release and no leading zeros, as in 1.2.3-rc.1"


def latest(installable: Iterable[str]) -> str | None:
    """Give the one that a user means by the latest: the highest release, else the highest pre-release."""
    return max(installable, key=lambda version: ("-" not in version, precedence(version)), default=None)
