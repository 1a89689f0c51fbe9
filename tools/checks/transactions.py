"""No transaction stays open across a subprocess, the network, a blob or another transaction.

It would hold row locks, and a connection, for as long as somebody else takes to answer; one inside another one
waits for a second connection while it holds the first, which is how pools run dry. The slow part goes before or
after.
"""

import ast
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from tools.checks.problem import Problem, text_of

DOORS: Final = frozenset({"transaction", "platform"})
SLOW_MODULES: Final = ("subprocess", "asyncio.create_subprocess", "asyncio.sleep", "asyncio.to_thread", "httpx2")
# Names under which services, the dispatcher and the workers hold what is slow.
SLOW_PARTS: Final = frozenset({"blobs", "client", "http", "envelope", "runner", "runners", "engine", "mail"})
ALWAYS_SLOW: Final = frozenset({"client", "http"})
WHERE: Final = frozenset({"services", "storage", "workers", "activities", "api"})


def find(root: Path, files: Sequence[Path]) -> Iterator[Problem]:
    """Find calls that do not belong between the beginning and the end of a transaction."""
    for path in files:
        if path.suffix == ".py" and path.parts[0] in WHERE:
            tree = ast.parse(text_of(root / path))
            for block in ast.walk(tree):
                if isinstance(block, ast.AsyncWith) and _opens_transaction(block):
                    yield from _slow_calls(path, block)


def _opens_transaction(block: ast.AsyncWith) -> bool:
    return any(_is_door(item.context_expr) for item in block.items)


def _is_door(expression: ast.expr) -> bool:
    return (
        isinstance(expression, ast.Call)
        and isinstance(expression.func, ast.Attribute)
        and expression.func.attr in DOORS
        and "database" in _dotted(expression.func)
    )


def _slow_calls(path: Path, block: ast.AsyncWith) -> Iterator[Problem]:
    for statement in block.body:
        for node in ast.walk(statement):
            if not isinstance(node, ast.Call):
                continue
            name = _dotted(node.func)
            if _is_door(node):
                yield Problem(path, node.lineno, f"`{name}` opens a transaction inside one: end the first before")
            elif name.startswith(SLOW_MODULES) or _slow_part(name):
                yield Problem(
                    path, node.lineno, f"`{name}` waits for others inside a transaction: do it before or after"
                )


def _slow_part(name: str) -> bool:
    first, *holders = name.split(".")[:-1] or [""]
    # A bare name may be a module of queries, as `blobs` is: what is held by something is the real thing.
    return first in ALWAYS_SLOW or any(holder.strip("_") in SLOW_PARTS for holder in holders)


def _dotted(expression: ast.expr) -> str:
    match expression:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=value, attr=attribute):
            return f"{_dotted(value)}.{attribute}"
        case ast.Call(func=called):
            return _dotted(called)
        case _:
            return ""
