"""A checkout with a few files in it, for a rule to look at."""

from collections.abc import Mapping, Sequence
from pathlib import Path


def plant(root: Path, files: Mapping[str, str]) -> Sequence[Path]:
    """Write files; give them as a rule takes them."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return [Path(name) for name in files]
