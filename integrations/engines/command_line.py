"""Argument lists for terraform and tofu, made by python-terraform."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final, NoReturn

from python_terraform import IsFlagged, Terraform

FLAG: Final = IsFlagged


class CommandLine(Terraform):
    """Makes argument lists and does nothing else.

    python-terraform's way of running the CLI can't be used: it gives no process to signal, buffers all output,
    hands its own environment on and reads the state of whatever folder it is in. What it knows of how options
    are written can, so only that part is left reachable.
    """

    def __init__(self, path: Path) -> None:
        """Take the CLI's path."""
        super().__init__(terraform_bin_path=str(path))

    def __getattr__(self, name: str) -> NoReturn:
        """Refuse what isn't there; the base class takes every unknown name for a subcommand."""
        raise AttributeError(name)

    def read_state_file(self, file_path: str | None = None) -> None:
        """Read nothing; the base class reads a state found in the current folder as soon as it is made."""

    def cmd(self, cmd: str, *args: str, **kwargs: object) -> NoReturn:
        """Refuse to run anything."""
        raise RuntimeError(f"{cmd} is run by the guard, not from here: {args} {sorted(kwargs)}")

    def arguments(self, folder: Path, command: str, *args: str, **options: object) -> Sequence[str]:
        """Give the whole argument list of a command on a folder, beginning with the CLI's path."""
        program, *rest = self.generate_cmd_string(command, *args, **options)
        return (program, f"-chdir={folder}", *rest)
