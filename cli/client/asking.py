"""Asking somebody at a terminal before something is done that can't be taken back."""

import sys
from typing import Annotated

from cyclopts import Parameter

from cli.client.showing import ClientOutput
from cli.errors import usage

Yes = Annotated[bool, Parameter(negative="", name=["--yes", "-y"], help="Do not ask.")]


def agrees(question: str, output: ClientOutput) -> bool:
    """Ask, and tell whether the answer is yes; anything else is no.

    Raises:
        CycloptsError: nobody is there to be asked.
    """
    if output.quiet or not sys.stdin.isatty():
        raise usage(f"there is nobody to ask, so say --yes if it is meant: {question}")
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in {"y", "yes"}
