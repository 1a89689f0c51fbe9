"""The words in which the cases are written: what is used, what is run, what comes of it."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from tests.e2e.conformance.watching import Asked, Bend
from tests.fixtures.https import HOSTNAME
from tests.fixtures.workspaces import TOOLS, Door, Workspace

DOORS: Final = tuple(Door)
Whose = Literal["the publisher's", "a stranger's", "a wrong", "no"]
BY_ENVIRONMENT: Final = f"TF_TOKEN_{HOSTNAME.replace('.', '_')}"
"""The variable in which the tools look for a key; it can't name a port."""
Words = str | tuple[str, str]
"""What is said, as a pattern: by both tools, or by terraform and by tofu."""


@dataclass(frozen=True, slots=True)
class Module:
    """A module that the configuration uses."""

    name: str
    version: str | None = None
    gets: str | None = None
    """The version that every command leaves which succeeds; None for none."""
    folder: str = ""
    system: str = "aws"

    @property
    def label(self) -> str:
        """What its block is called."""
        return f"{self.name}-{self.system}"

    def found_in(self, space: Workspace) -> str | None:
        """Give the version that is installed."""
        listed = json.loads((space.folder / ".terraform/modules/modules.json").read_text())["Modules"]
        return next((each["Version"] for each in listed if each["Key"] == self.label), None)

    def render(self, host: str, namespace: str) -> str:
        """Write it as HCL."""
        source = f"{host}/{namespace}/{self.name}/{self.system}{self.folder and '//' + self.folder}"
        version = f'  version = "{self.version}"\n' if self.version else ""
        return f'module "{self.label}" {{\n  source = "{source}"\n{version}}}\n'


@dataclass(frozen=True, slots=True)
class Provider:
    """A provider that the configuration requires."""

    type: str
    version: str | None = None
    gets: str | None = None
    """The version that every command leaves locked which succeeds; None for none."""

    def found_in(self, space: Workspace) -> str | None:
        """Give the version in the lock file."""
        found = re.search(rf'/{self.type}" {{\s+version\s+= "([^"]+)"', space.lock_file)
        return None if found is None else found[1]

    def render(self, host: str, namespace: str) -> str:
        """Write it as HCL."""
        version = f'version = "{self.version}"' if self.version else ""
        required = (
            f'    {self.type} = {{\n      source = "{host}/{namespace}/{self.type}"\n      {version}\n    }}\n'
        )
        return f"terraform {{\n  required_providers {{\n{required}  }}\n}}\n"


@dataclass(frozen=True, slots=True)
class Command:
    """A command, and how it has to end."""

    line: str
    status: int | tuple[int, int] = 0
    says: Words = ""
    anew: bool = False
    """Whether what was installed is thrown away before, but for the lock file."""

    def status_of(self, tool: str) -> int:
        """Give the status with which this tool ends."""
        return self.status if isinstance(self.status, int) else self.status[TOOLS.index(tool)]

    def words_of(self, tool: str) -> str:
        """Give the pattern for what this tool says."""
        return self.says if isinstance(self.says, str) else self.says[TOOLS.index(tool)]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a case left."""

    space: Workspace
    asked: Sequence[Asked]
    packages: Mapping[str, Sequence[str]]
    """The hashes of the real provider's packages by platform, as the registry says."""


@dataclass(frozen=True, slots=True)
class Case:
    """A row of the table."""

    name: str
    uses: Sequence[Module | Provider]
    runs: Sequence[Command]
    key: Whose = "the publisher's"
    key_by_environment: bool = False
    """Whether the key is in a variable, and not in the tool's configuration."""
    doors: Sequence[Door] = DOORS
    bends: Sequence[Bend] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    spelled: Callable[[str], str] = str
    """How sources write the host."""
    more: str = ""
    """HCL beside what is used."""
    check: Callable[[Outcome], object] | None = None
    """Looks at what was left."""

    def configuration(self, host: str, namespace: str) -> str:
        """Write the configuration."""
        return "".join(each.render(self.spelled(host), namespace) for each in self.uses) + self.more


INIT: Final = Command("init -input=false")


def fails(line: str, says: Words) -> Command:
    """Make a command that has to fail, and say why."""
    return Command(line, 1, says)
