"""The wheel holds every package of the product, and each folder of modules is a package.

The packages are flat and named one by one in pyproject.toml. One that is forgotten there works in every checkout,
and is missing from every image.
"""

import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from tools.checks.problem import Problem

PROJECT: Final = Path("pyproject.toml")
NOT_SHIPPED: Final = frozenset({"tests", "bench", "tools", "stubs"})


def find(root: Path, files: Sequence[Path]) -> Iterator[Problem]:
    """Find packages that the wheel lacks or that are none, and folders of modules without `__init__.py`."""
    project = tomllib.loads((root / PROJECT).read_text())
    shipped = set(project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"])
    there = {path.parts[0] for path in files if path.name == "__init__.py" and len(path.parts) > 1} - NOT_SHIPPED
    for name in sorted(there - shipped):
        yield Problem(PROJECT, 1, f"{name} is a package, and the wheel lacks it: add it to the wheel's packages")
    for name in sorted(shipped - there):
        yield Problem(PROJECT, 1, f"{name} is among the wheel's packages, and no package: it has no __init__.py")
    packages = {path.parent for path in files if path.name == "__init__.py"}
    folders = {path.parent for path in files if path.suffix == ".py" and path.parts[0] in shipped}
    for folder in sorted(folders - packages):
        yield Problem(folder / "__init__.py", 1, "is missing: a folder of modules is a package")
