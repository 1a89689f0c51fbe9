"""How the demo speaks: numbered steps with their times, what is typed, and what is answered."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from cli.client.showing import without_controls
from cli.errors import CheckFailed
from cli.output import colours_wanted

INDENT: Final = "      "


class Teller:
    """Tells what happens, line by line, so that it reads the same on a terminal and in a pipeline's log."""

    def __init__(self, steps: int) -> None:
        """Take how many steps there will be."""
        self._steps = steps
        self._step = 0

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """Tell of one step, and how long it took once all in it has been checked."""
        self._step += 1
        heading = f"[{self._step}/{self._steps}] {title}"
        print(f"\n\x1b[1m{heading}\x1b[0m" if colours_wanted() else f"\n{heading}", flush=True)
        began = time.monotonic()
        yield
        self.say(f"ok, {time.monotonic() - began:.1f} s")

    def say(self, text: str) -> None:
        """Tell something."""
        for line in text.splitlines():
            print(f"{INDENT}{without_controls(line)}".rstrip(), flush=True)


def check(*, holds: bool, otherwise: str) -> None:
    """End the demo unless something is as it has to be.

    Raises:
        CheckFailed: with the sentence.
    """
    if not holds:
        raise CheckFailed(otherwise)
