"""A use case of the registry that changes something goes through `changing`, which tells who keeps answers.

One that opens a plain transaction would leave every process answering from before, until kept answers grow old.
What changes something locks a row, adds, changes or deletes one, or records an event. Statements that a query
module writes are not seen here.
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
    """Find what is changed in a transaction of which nobody hears."""
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
    nodes = [node for node in ast.walk(block) if isinstance(node, ast.expr)]
    events = {event for node in nodes if (event := _event(node)) is not None}
    if events and events <= {repr(event) for event in SHOWN_BY_NO_ANSWER}:
        return
    for node in nodes:
        if _event(node) is not None or _changes(node):
            yield node.lineno, "changes the registry, and nobody hears of it: open the transaction by `changing`"


def _event(node: ast.expr) -> str | None:
    """Give the event that is recorded, as it is written."""
    match node:
        case ast.Call(func=ast.Attribute(value=ast.Name(id="audit"), attr="record"), args=[_, _, event, *_]):
            return ast.unparse(event)
        case _:
            return None


def _changes(node: ast.expr) -> bool:
    """Tell whether a row is changed, or held so that it can be."""
    match node:
        case ast.Attribute(ctx=ast.Store()):
            return True
        case ast.Call(func=ast.Attribute(value=ast.Name(id="session"), attr="add" | "add_all" | "delete")):
            return True
        case ast.Call(func=ast.Attribute(attr=name)):
            return not {"lock", "locked"}.isdisjoint(name.split("_"))
        case _:
            return False
