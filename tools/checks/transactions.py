"""No transaction stays open across a subprocess, the network, a blob or another transaction.

It would hold row locks, and a connection, for as long as somebody else takes to answer; one inside another one
waits for a second connection while it holds the first, which is how pools run dry. The slow part goes before or
after.

What is slow is told by its type: what reaches out of the process, and whatever is made from that. A use case is
made from the database, so it opens a transaction of its own.
"""

import ast
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from tools.checks.problem import Problem, text_of

DOORS: Final = frozenset({"transaction", "platform", "probe"})
OPENERS: Final = frozenset({"changing"})
"""Functions that go through such a door, and yield the session."""
DATABASE: Final = "Database"
SLOW_MODULES: Final = ("subprocess", "asyncio.create_subprocess", "asyncio.sleep", "asyncio.to_thread", "httpx2")
REACHES_OUT: Final = frozenset({
    "AsyncClient", "BlobStore", "Client", "Engine", "KeyHasher", "LocalBlobStore", "Runners", "S3BlobStore",
    "SignatureVerifier",
})  # fmt: skip
WHERE: Final = frozenset({"services", "storage", "workers", "activities", "api"})
Function = ast.FunctionDef | ast.AsyncFunctionDef


def find(root: Path, files: Sequence[Path]) -> Iterator[Problem]:
    """Find calls that do not belong between the beginning and the end of a transaction."""
    trees = {
        path: ast.parse(text_of(root / path)) for path in files if path.suffix == ".py" and path.parts[0] in WHERE
    }
    slow = _slow_types(list(trees.values()))
    for path, tree in trees.items():
        for function, holders in _functions(tree, slow):
            for block in ast.walk(function):
                if isinstance(block, ast.AsyncWith) and any(_is_door(item.context_expr) for item in block.items):
                    yield from _slow_calls(path, block, holders)


def _slow_types(trees: Sequence[ast.Module]) -> frozenset[str]:
    """Give the classes that reach out of the process, or are made from one that does or from the database."""
    made_from = {
        each.name: {name for annotation in _parts(each).values() for name in _names(annotation)}
        for tree in trees
        for each in ast.walk(tree)
        if isinstance(each, ast.ClassDef)
    }
    slow = {DATABASE, *REACHES_OUT}
    while more := {name for name, parts in made_from.items() if parts & slow} - slow:
        slow |= more
    return frozenset(slow - {DATABASE})


def _parts(of: ast.ClassDef) -> dict[str, ast.expr]:
    """Give the attributes of a class that hold what it is made from, with the types that are declared for it."""
    fields = {
        field.target.id: field.annotation
        for field in of.body
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
    }
    for constructor in of.body:
        if isinstance(constructor, ast.FunctionDef) and constructor.name == "__init__":
            declared = _parameters(constructor)
            for node in ast.walk(constructor):
                match node:
                    case ast.Assign(
                        targets=[ast.Attribute(value=ast.Name(id="self"), attr=attribute)], value=value
                    ):
                        if isinstance(value, ast.Name) and value.id in declared:
                            fields[attribute] = declared[value.id]
    return fields


def _parameters(function: Function) -> dict[str, ast.expr]:
    arguments = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    return {each.arg: each.annotation for each in arguments if each.annotation is not None}


def _functions(tree: ast.Module, slow: frozenset[str]) -> Iterator[tuple[Function, set[str]]]:
    """Give each function with the names by which it holds something slow: `store`, or `self._store`."""
    for each, of_class in _with_classes(tree):
        held = {f"self.{name}": annotation for name, annotation in (_parts(of_class) if of_class else {}).items()}
        yield each, _holding(held | _parameters(each), slow)


def _with_classes(tree: ast.Module) -> Iterator[tuple[Function, ast.ClassDef | None]]:
    for node in tree.body:
        if isinstance(node, Function):
            yield node, None
        elif isinstance(node, ast.ClassDef):
            yield from ((method, node) for method in node.body if isinstance(method, Function))


def _holding(declared: Mapping[str, ast.expr], slow: frozenset[str]) -> set[str]:
    return {name for name, annotation in declared.items() if slow & set(_names(annotation))}


def _names(annotation: ast.expr) -> Iterator[str]:
    for node in ast.walk(annotation):
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name):
                yield name
            case ast.Constant(value=str(written)):
                yield written


def _is_door(expression: ast.expr) -> bool:
    match expression:
        case ast.Call(func=ast.Attribute(attr=name) as door):
            return name in DOORS and "database" in _dotted(door)
        case ast.Call(func=ast.Name(id=name)):
            return name in OPENERS
        case _:
            return False


def _slow_calls(path: Path, block: ast.AsyncWith, holders: set[str]) -> Iterator[Problem]:
    for statement in block.body:
        for node in ast.walk(statement):
            if not isinstance(node, ast.Call):
                continue
            name = _dotted(node.func)
            if _is_door(node):
                yield Problem(path, node.lineno, f"`{name}` opens a transaction inside one: end the first before")
            elif name.startswith(SLOW_MODULES) or any(name.startswith(f"{holder}.") for holder in holders):
                yield Problem(
                    path, node.lineno, f"`{name}` waits for others inside a transaction: do it before or after"
                )


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
