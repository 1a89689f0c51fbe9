"""What commands print: results on standard output, for people or as JSON; progress and errors beside them."""

import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final

from cyclopts import Parameter


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class Output:
    """How a command speaks; every command takes it."""

    json: Annotated[bool, Parameter(negative="", help="Print the result as JSON.")] = False
    quiet: Annotated[bool, Parameter(negative="", name=["--quiet", "-q"], help="Print no progress.")] = False

    def result(self, value: Mapping[str, Any] | Sequence[Any], human: str | Callable[[], str]) -> None:
        """Print what the command was asked for: the value as JSON, or the text for people."""
        if self.json:
            print(json.dumps(value, indent=2, default=str))
        else:
            print(human if isinstance(human, str) else human())

    def progress(self, text: str) -> None:
        """Say what goes on, to people only."""
        if not self.quiet:
            print(text, file=sys.stderr, flush=True)


PEOPLE: Final = Output()
"""What a command assumes: a person reads."""


def examples(*lines: str) -> str:
    """Write the end of a command's help."""
    return "Examples:\n\n" + "\n\n".join(f"  {line}" for line in lines)


def complain(text: str) -> None:
    """Print an error as one line."""
    print(f"groundwork: {' '.join(text.split())}", file=sys.stderr, flush=True)


def colours_wanted() -> bool:
    """Tell whether standard output takes colours (https://no-color.org)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
