"""A migration only adds, so servers of the release before go on beside it, and keeps nobody waiting for long.

A column can be added where it may be empty or has a default: those servers write none. Nothing is taken away,
save by a migration that says in `CONTRACTS` since which release nothing uses it. A table that is there is changed
by what locks it for no longer than a moment, and its rows are filled in afterwards. docs/adr/0019 tells why. SQL
that a migration writes itself, or builds, is looked at for changes of rows alone: its reader has to know the rest.
"""

import ast
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from tools.checks.problem import Problem, text_of

FOLDER: Final = Path("storage/migrations/versions")
OF_ROWS: Final = re.compile(r"\s*(INSERT\s+INTO\b(?!.*\bVALUES\b)|DELETE\s+FROM\b|UPDATE\s.*\bSET\b)", re.DOTALL)
"""What goes over rows that are there; rows that every installation begins with are added at once."""
OF_FILLS: Final = "changes rows while it holds the table: storage/migrations/fills.py does it afterwards"
LOCKS: Final = {
    "create_index": (1, "keeps writers waiting while it is built: `build_index`"),
    "create_check_constraint": (1, "keeps everybody waiting while it looks at all rows: `replace_check`"),
    "create_unique_constraint": (1, "keeps everybody waiting while its index is built: `build_index`, and use it"),
    "create_foreign_key": (
        1,
        "keeps writers waiting while it looks at all rows: add it NOT VALID, then validate it",
    ),
    "alter_column": (0, "breaks or blocks the servers of the release before: add another column"),
}
"""By operation: which argument names the table, and what is wrong with it on one that was there before."""
TAKE_AWAY: Final = frozenset({"drop_column", "drop_constraint", "drop_index", "drop_table", "rename_table"})


def find(root: Path, files: Sequence[Path]) -> Iterator[Problem]:
    """Find what servers of the release before would not live with."""
    for path in files:
        if path.parent == FOLDER and path.name != "__init__.py":
            tree = ast.parse(text_of(root / path))
            yield from (Problem(path, line, text) for line, text in _wrong(tree))


def _wrong(tree: ast.Module) -> Iterator[tuple[int, str]]:
    contracts = any(
        isinstance(target, ast.Name) and target.id == "CONTRACTS"
        for each in tree.body
        if isinstance(each, ast.Assign)
        for target in each.targets
    )
    going_up = [
        node
        for each in tree.body
        if not (isinstance(each, ast.FunctionDef) and each.name == "downgrade")
        for node in ast.walk(each)
    ]
    made = [node for node in going_up if isinstance(node, ast.Call) and _operation(node) == "create_table"]
    of_made = {id(part) for call in made for part in ast.walk(call)}
    names = {_table(call, 0) for call in made}
    new = {
        target.id
        for node in going_up
        if isinstance(node, ast.Assign) and id(node.value) in of_made
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in going_up:
        match node:
            case ast.Call() if (changed := _changed(node)) and not (
                isinstance(changed, ast.Name) and changed.id in new
            ):
                yield node.lineno, f"{OF_FILLS}; rows of a new table go into what `create_table` gave"
            case ast.Call() if (operation := _operation(node)) in LOCKS:
                position, advice = LOCKS[operation]
                if _table(node, position) not in names:
                    yield node.lineno, f"`{operation}` {advice}"
            case ast.Call() if (operation := _operation(node)) in TAKE_AWAY and not contracts:
                yield (
                    node.lineno,
                    f"`{operation}` takes away what servers of the release before may use: see CONTRACTS",
                )
            case ast.Call(func=ast.Attribute(attr="Column")) if id(node) not in of_made and _must_be_given(node):
                yield node.lineno, "a column that servers of the release before do not write needs a default"
            case ast.Constant(value=str(written)) if OF_ROWS.match(written):
                yield node.lineno, OF_FILLS


def _operation(call: ast.Call) -> str:
    match call.func:
        case ast.Attribute(value=ast.Name(id="op"), attr=name):
            return name
        case _:
            return ""


def _changed(call: ast.Call) -> ast.expr | None:
    """Give the table of whose rows the call makes a change."""
    match call:
        case (
            ast.Call(func=ast.Attribute(value=ast.Name(), attr="insert" | "update" | "delete"), args=[table, *_])
            | ast.Call(func=ast.Name(id="insert" | "update" | "delete"), args=[table, *_])
            | ast.Call(func=ast.Attribute(attr="bulk_insert"), args=[table, *_])
            | ast.Call(func=ast.Attribute(value=table, attr="insert" | "update" | "delete"), args=[])
        ):
            return table
        case _:
            return None


def _table(call: ast.Call, position: int) -> str | None:
    match call.args[position : position + 1]:
        case [ast.Constant(value=str(name))]:
            return name
        case _:
            return None


def _must_be_given(column: ast.Call) -> bool:
    given = {each.arg: each.value for each in column.keywords}
    required = isinstance(nullable := given.get("nullable"), ast.Constant) and nullable.value is False
    return required and "server_default" not in given
