"""What a CLI that provisions is asked for, whichever it is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from pydantic import JsonValue

from domain.deployments.sources import EngineName
from domain.provisioning.events import RunEvent
from domain.provisioning.steps import StepOperation

LOCK_FILE: Final = ".terraform.lock.hcl"
# A socket's path has at most 107 bytes, and a folder under somebody's home easily more.
_SHORT: Final = Path("/tmp")  # noqa: S108  what is made there has an unguessable name and is made anew, for us alone


@dataclass(frozen=True, slots=True)
class StepFolder:
    """The folder of one step, named by its id: what lies where. Only the module's own files are in `module`."""

    root: Path

    @property
    def module(self) -> Path:
        """Root module: the CLI's working folder."""
        return self.root / "module"

    @property
    def data(self) -> Path:
        """The CLI's own files: providers, modules, the backend's configuration."""
        return self.root / "data"

    @property
    def home(self) -> Path:
        """HOME of the CLI."""
        return self.root / "home"

    @property
    def temporary(self) -> Path:
        """TMPDIR of the CLI, outside the folder: providers listen on sockets there, whose paths must be short."""
        return _SHORT / f"groundwork-{self.root.name[-12:]}"

    @property
    def configuration(self) -> Path:
        """The CLI's configuration, which may hold credentials."""
        return self.root / "terraformrc"

    @property
    def state(self) -> Path:
        """The state, as the local backend keeps it."""
        return self.root / "terraform.tfstate"

    @property
    def state_before(self) -> Path:
        """The state as the step found it; there once the local backend has written another."""
        return self.root / "terraform.tfstate.backup"

    @property
    def errored_state(self) -> Path:
        """The state that the CLI could not write where it belongs, as on a full disk."""
        return self.module / "errored.tfstate"

    @property
    def plan(self) -> Path:
        """The saved plan."""
        return self.root / "tfplan"

    @property
    def lock_file(self) -> Path:
        """The dependency lock file, which both CLIs want in the working folder."""
        return self.module / LOCK_FILE

    @property
    def log(self) -> Path:
        """Everything that init, plan and apply said, not redacted."""
        return self.root / "log"

    @property
    def answer(self) -> Path:
        """What a command said that is asked for something (show, output)."""
        return self.root / "answer"

    @property
    def report(self) -> Path:
        """What the guard saw happen; there for whoever finds the folder after a crash."""
        return self.root / "guard"


class Engine(Protocol):
    """Argument lists and environment of a CLI, and what its output means. It runs nothing by itself."""

    @property
    def name(self) -> EngineName:
        """Which CLI it is."""
        ...

    @property
    def version(self) -> str:
        """Its version, as it says."""
        ...

    def init(self, folder: StepFolder, *, apply: bool) -> Sequence[str]:
        """Get providers and modules; for an apply exactly those of the lock file."""
        ...

    def plan(self, folder: StepFolder, operation: StepOperation) -> Sequence[str]:
        """Save a plan; exit code 0 says no changes, 2 changes. A destroy is a plan like any other."""
        ...

    def apply(self, folder: StepFolder) -> Sequence[str]:
        """Apply the saved plan, and nothing but it."""
        ...

    def show_plan(self, folder: StepFolder) -> Sequence[str]:
        """Say what the saved plan would do, for people."""
        ...

    def describe_plan(self, folder: StepFolder) -> Sequence[str]:
        """Say all of the saved plan and its configuration as JSON, sensitive values in clear."""
        ...

    def outputs(self, folder: StepFolder) -> Sequence[str]:
        """Say all outputs as JSON, sensitive ones in clear."""
        ...

    def environment(
        self,
        folder: StepFolder,
        variables: Mapping[str, JsonValue],
        *,
        ca_certificate: Path | None,
    ) -> dict[str, str]:
        """Give the CLI's whole environment; nothing is inherited from the caller's."""
        ...

    def parse(self, line: bytes) -> RunEvent:
        """Understand a line of what init, plan or apply said. Never raises."""
        ...
