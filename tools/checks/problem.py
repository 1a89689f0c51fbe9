"""What a rule finds, and the files it looks at."""

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Problem:
    """A place that breaks a rule, and what to do about it."""

    path: Path
    line: int
    text: str

    def __str__(self) -> str:
        """Show it as editors understand it."""
        return f"{self.path}:{self.line}: {self.text}"


def tracked_files(root: Path) -> Sequence[Path]:
    """Give the files of a checkout, relative to it: what git tracks, and what it does not ignore."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        check=True,
        cwd=root,
        capture_output=True,
        text=True,
    ).stdout
    files = (Path(name) for name in listed.split("\0") if name)
    return sorted(path for path in files if (root / path).is_file())


def text_of(path: Path) -> str:
    """Read a file; what is no text is empty here."""
    try:
        return path.read_text()
    except UnicodeDecodeError:
        return ""
