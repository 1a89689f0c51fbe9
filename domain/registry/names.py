"""Names in registry addresses: which are taken, and which would be mistaken for another.

Every name is plain lower-case ASCII, the same on every file system and in every font, so nothing has to be
normalised and no two spellings mean one thing. A namespace serves modules and providers alike and keeps to the
stricter rule of the two.
"""

import re
from dataclasses import dataclass
from typing import Final

from domain.registry.errors import NameInvalid, NamespaceReserved, PlatformUnknown

LONGEST: Final = 64

# One dash at a time: double dashes are refused in providers' addresses (they belong to punycode).
_DASHED: Final = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*", re.ASCII)
_MODULE: Final = re.compile(r"[a-z0-9](?:[a-z0-9_-]*[a-z0-9])?", re.ASCII)
_PLAIN: Final = re.compile(r"[a-z0-9]+", re.ASCII)

# Names of the protocols' own paths, of built-in providers, and of the makers of the two tools.
RESERVED: Final = frozenset(
    {"builtin", "files", "groundwork", "hashicorp", "mirror", "opentofu", "search", "terraform", "tofu"}
)

_LOOK_ALIKE: Final = str.maketrans({"0": "o", "1": "l", "i": "l", "5": "s", "-": None})


@dataclass(frozen=True, slots=True)
class _Rule:
    what: str
    pattern: re.Pattern[str]
    sentence: str

    def check(self, name: str) -> str:
        if len(name) > LONGEST or self.pattern.fullmatch(name) is None:
            raise NameInvalid(f"{self.what} is {self.sentence}, at most {LONGEST} characters", name=name[:LONGEST])
        return name


_DASHED_SENTENCE: Final = "lower-case letters and digits with single dashes between them"
_NAMESPACE: Final = _Rule("a namespace", _DASHED, _DASHED_SENTENCE)
_MODULE_NAME: Final = _Rule(
    "a module's name", _MODULE, "lower-case letters, digits, dashes and underscores, a letter or digit at each end"
)
_SYSTEM: Final = _Rule("a module's system", _PLAIN, "lower-case letters and digits, as in aws")
_TYPE: Final = _Rule("a provider's type", _DASHED, _DASHED_SENTENCE)

# What `go tool dist list` prints. The tools ask for their own platform by these names and find no other.
_SYSTEMS: Final = frozenset(
    {
        *("aix", "android", "darwin", "dragonfly", "freebsd", "illumos", "ios", "js", "linux"),
        *("netbsd", "openbsd", "plan9", "solaris", "wasip1", "windows"),
    }
)
_ARCHITECTURES: Final = frozenset(
    {
        *("386", "amd64", "arm", "arm64", "loong64", "mips", "mips64", "mips64le", "mipsle"),
        *("ppc64", "ppc64le", "riscv64", "s390x", "wasm"),
    }
)
_MEANT: Final = {
    **dict.fromkeys(("mac", "macos", "osx"), "darwin"),
    **dict.fromkeys(("win", "win32", "win64"), "windows"),
    **dict.fromkeys(("x64", "x86_64"), "amd64"),
    **dict.fromkeys(("i386", "i686", "x86"), "386"),
    **dict.fromkeys(("aarch64", "armv8"), "arm64"),
    **dict.fromkeys(("armv5", "armv6", "armv7", "armhf"), "arm"),
}


@dataclass(frozen=True, slots=True)
class ModuleAddress:
    """A module's address in this registry, without the host."""

    namespace: str
    name: str
    system: str

    def checked(self) -> "ModuleAddress":
        """Return the address itself.

        Raises:
            NameInvalid: a part breaks its rule.
        """
        _NAMESPACE.check(self.namespace)
        _MODULE_NAME.check(self.name)
        _SYSTEM.check(self.system)
        return self

    def __str__(self) -> str:
        """Give the address as people write it."""
        return f"{self.namespace}/{self.name}/{self.system}"


@dataclass(frozen=True, slots=True)
class ProviderAddress:
    """A provider's address in this registry, without the host."""

    namespace: str
    type: str

    def checked(self) -> "ProviderAddress":
        """Return the address itself.

        Raises:
            NameInvalid: a part breaks its rule, or the type starts with `terraform-`, which no tool accepts.
        """
        _NAMESPACE.check(self.namespace)
        _TYPE.check(self.type)
        if self.type.startswith("terraform-"):
            short = self.type.removeprefix("terraform-").removeprefix("provider-")
            raise NameInvalid(f"a provider's type has no prefix `terraform-`: use {short}", name=self.type)
        return self

    def __str__(self) -> str:
        """Give the address as people write it."""
        return f"{self.namespace}/{self.type}"


@dataclass(frozen=True, slots=True, order=True)
class Platform:
    """What a provider's package runs on, by Go's names."""

    os: str
    arch: str

    def checked(self) -> "Platform":
        """Return the platform itself.

        Raises:
            PlatformUnknown: Go has no such operating system or architecture, so no tool would ask for it.
        """
        for what, name, known in (
            ("operating system", self.os, _SYSTEMS),
            ("architecture", self.arch, _ARCHITECTURES),
        ):
            if name not in known:
                meant = _MEANT.get(name.lower(), name.lower())
                advice = f"write {meant}" if meant in known else f"write one of {', '.join(sorted(known))}"
                shown = name[:LONGEST]
                raise PlatformUnknown(f"{shown!a} is no {what} by Go's names; {advice}", name=shown)
        return self

    def __str__(self) -> str:
        """Give the platform as lock files and file names write it."""
        return f"{self.os}_{self.arch}"


def check_namespace(name: str) -> str:
    """Return the name if it may be claimed.

    Raises:
        NameInvalid: it breaks the rule of namespaces.
        NamespaceReserved: nobody may claim it.
    """
    _NAMESPACE.check(name)
    if name in RESERVED or skeleton(name) in _RESERVED_SKELETONS:
        raise NamespaceReserved("this namespace is reserved; choose another", namespace=name)
    return name


def skeleton(name: str) -> str:
    """Give what is left of a name when everything that the eye mistakes is made one.

    Two namespaces of one skeleton would be read as each other, so the installation has one of them only.
    """
    return name.translate(_LOOK_ALIKE).replace("rn", "m").replace("vv", "w")


_RESERVED_SKELETONS: Final = frozenset(map(skeleton, RESERVED))
