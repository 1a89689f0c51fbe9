"""A use case of the registry that changes something goes through `changing`, which tells who keeps answers.

One that opens a plain transaction would leave every process answering from before, until kept answers grow old.
What changes something is in the audit log: so whoever records an event says by its transaction who hears of it.
"""

import ast
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from tools.checks.problem import Problem, text_of

FOLDER: Final = Path("services/registry")
SHOWN_BY_NO_ANSWER: Final = frozenset({
    "registry.namespace_claimed",  # nothing is published in it yet
    "registry.verification_requested",  # what the check finds is a change, and its asking is none
})  # fmt: skip


def find(root: Path, files: Sequence[Path]) -> Iterator[Problem]:
    """Find events that are recorded in a transaction of which nobody hears."""
    for path in files:
        if path.parent == FOLDER and path.suffix == ".py":
            for block in ast.walk(ast.parse(text_of(root / path))):
                if isinstance(block, ast.AsyncWith) and any(_is_plain(item.context_expr) for item in block.items):
                    yield from (Problem(path, line, text) for line, text in _unheard(block))


def _is_plain(expression: ast.expr) -> bool:
    match expression:
        case ast.Call(func=ast.Attribute(attr="transaction")):
            return True
        case _:
            return False


def _unheard(block: ast.AsyncWith) -> Iterator[tuple[int, str]]:
    for node in ast.walk(block):
        match node:
            case ast.Call(
                func=ast.Attribute(value=ast.Name(id="audit"), attr="record"),
                args=[_, _, ast.Constant(value=str(event)), *_],
            ) if event in SHOWN_BY_NO_ANSWER:
                continue
            case ast.Call(func=ast.Attribute(value=ast.Name(id="audit"), attr="record")):
                yield (
                    node.lineno,
                    "changes the registry, and nobody hears of it: open the transaction by `changing`",
                )
