"""A module has at most 500 lines.

What is longer does more than one thing, and nobody reads it whole. Generated files (`*.gen.*`) don't count.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from tools.checks.problem import Problem, text_of

MOST: Final = 500
CODE: Final = frozenset({".py", ".pyi", ".ts", ".tsx", ".sh"})


def find(root: Path, files: Sequence[Path]) -> Iterator[Problem]:
    """Find modules that are too long."""
    for path in files:
        if path.suffix not in CODE or ".gen." in path.name:
            continue
        lines = len(text_of(root / path).splitlines())
        if lines > MOST:
            yield Problem(
                path, MOST + 1, f"{lines} lines, and {MOST} is the most: split it where its subject does"
            )
