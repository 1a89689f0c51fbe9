"""Nothing in the tree is unfinished, skipped or excused without a reason.

What a person has to remember is forgotten: unfinished code goes into an issue, a test that can't run is no test,
and an exception from a linter's rule says why, two spaces after its code.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from tools.checks.problem import Problem, text_of

CODE: Final = frozenset({".py", ".pyi", ".ts", ".tsx", ".sh", ".tf"})
RULES: Final = (
    (re.compile(r"\b(TODO|FIXME|XXX)\b"), "is unfinished: finish it, or write an issue"),
    (re.compile(r"\bNotImplementedError\b|not implemented"), "does nothing: leave it out until it does"),
    (
        re.compile(r"pytest\.(mark\.)?(skip|skipif|xfail|importorskip)\b"),
        "does not run: a test runs or is deleted",
    ),
    (re.compile(r"pytest\.mark\.flaky|--reruns"), "runs again until it passes: find out why it fails"),
    (re.compile(r"#\s*type:\s*ignore(?!\[)"), "ignores every type error: name the one"),
    (
        re.compile(r"#\s*noqa(?!:\s*[A-Z]+[0-9]+(?:,\s*[A-Z]+[0-9]+)*  \S)"),
        "needs its rule, two spaces and a reason",
    ),
)
HERE: Final = Path("tools/checks/stubs.py")
ITS_TEST: Final = Path("tests/tools/checks/test_rules.py")


def find(root: Path, files: Sequence[Path]) -> Iterator[Problem]:
    """Find what is unfinished."""
    for path in files:
        if path.suffix not in CODE or path in {HERE, ITS_TEST}:
            continue
        for number, line in enumerate(text_of(root / path).splitlines(), start=1):
            for pattern, advice in RULES:
                found = pattern.search(line)
                if found is not None:
                    yield Problem(path, number, f"`{found.group().strip()}` {advice}")
