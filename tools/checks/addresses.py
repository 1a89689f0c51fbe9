"""No file names a package index or a path of the machine it was written on.

Lock files hold behind any mirror, and a stranger's machine has none of our folders.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from tools.checks.problem import Problem, text_of

INDEXES: Final = (
    "pypi" + ".org",
    "files.pythonhosted" + ".org",
    "registry.npmjs" + ".org",
    "proxy.golang" + ".org",
)
RULES: Final = (
    (re.compile("|".join(map(re.escape, INDEXES))), "is a package index: leave it to each machine's own settings"),
    (re.compile(r"--(extra-)?index-url[ =]\S"), "is a package index: leave it to each machine's own settings"),
    (re.compile(r'"resolved":\s*"https?:'), "is a package index: lock without addresses"),
    (
        re.compile("/" + r"work/(main|shared|\.library)|" + "/" + r"root/|/home/[a-z]+/\."),
        "is a path of one machine",
    ),
)


def find(root: Path, files: Sequence[Path]) -> Iterator[Problem]:
    """Find addresses that hold on one machine only."""
    for path in files:
        for number, line in enumerate(text_of(root / path).splitlines(), start=1):
            for pattern, advice in RULES:
                found = pattern.search(line)
                if found is not None:
                    yield Problem(path, number, f"`{found.group()}` {advice}")
