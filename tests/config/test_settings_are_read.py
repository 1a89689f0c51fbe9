"""Every setting is read by the product: one that nothing reads promises what nobody keeps."""

import ast
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel

from config.loading import group_of, setting_paths
from config.settings import Settings

NOT_READERS = {"tests", "bench", "tools", "stubs"}


def groups(model: type[BaseModel] = Settings, above: tuple[str, ...] = ()) -> dict[str, tuple[str, ...]]:
    """Give the path of each group by its class's name."""
    found: dict[str, tuple[str, ...]] = {}
    for name, field in model.model_fields.items():
        group = group_of(field)
        if group is not None:
            found |= {group.__name__: (*above, name)} | groups(group, (*above, name))
    return found


class Reads(ast.NodeVisitor):
    """Finds `settings.GROUP.NAME` and, where a variable or an argument is a group, `group.NAME`."""

    def __init__(self) -> None:
        self.found: set[tuple[str, ...]] = set()
        self._groups = groups()
        self._names: dict[str, tuple[str, ...]] = {}

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        before = self._names
        if node.name == "Settings":  # what is refused outside development depends on a setting of its own
            self._names = before | {"self": ()}
        self.generic_visit(node)
        self._names = before

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        before, self._names = self._names, dict(self._names)
        for argument in (*node.args.args, *node.args.kwonlyargs):
            match argument.annotation:
                case ast.Name(id="Settings"):
                    self._names[argument.arg] = ()
                case ast.Name(id=name) if name in self._groups:
                    self._names[argument.arg] = self._groups[name]
        self.generic_visit(node)
        self._names = before

    visit_AsyncFunctionDef = visit_FunctionDef  # noqa: N815  the visitor's own names

    def visit_Assign(self, node: ast.Assign) -> None:
        self.generic_visit(node)
        path = self._path(node.value)
        for target in node.targets:
            if isinstance(target, ast.Name) and path is not None:
                self._names[target.id] = path

    def visit_Attribute(self, node: ast.Attribute) -> None:
        self.generic_visit(node)
        path = self._path(node)
        if path:
            self.found.add(path)

    def _path(self, node: ast.expr) -> tuple[str, ...] | None:
        match node:
            case ast.Name(id=name):
                return self._names.get(name)
            case ast.Call(func=ast.Name(id="load_settings" | "begin_process")):
                return ()
            case ast.Attribute(value=value, attr=name):
                above = self._path(value)
                return None if above is None else (*above, name)
            case _:
                return None


def reads_of(source: str) -> set[tuple[str, ...]]:
    reads = Reads()
    reads.visit(ast.parse(source))
    return reads.found


def product(repository: Path) -> Iterator[Path]:
    for package in sorted(path.parent for path in repository.glob("*/__init__.py")):
        if package.name not in NOT_READERS:
            yield from package.rglob("*.py")


class TestSettings:
    def test_each_is_read_somewhere_in_the_product(self, repository: Path) -> None:
        read = {path for file in product(repository) for path in reads_of(file.read_text())}
        secret_files = {(*path[:-1], f"{path[-1]}_file") for path in setting_paths()}
        assert sorted(set(setting_paths()) - secret_files - read) == []


class TestReads:
    def test_see_a_group_by_its_name_its_annotation_and_its_variable(self) -> None:
        source = """
def one(settings: Settings) -> None:
    runner = settings.runner
    settings.api.port, runner.slots

async def two(tls: TlsSettings) -> None:
    tls.ca_certificate
"""
        expected = {("api", "port"), ("runner", "slots"), ("tls", "ca_certificate")}
        assert expected <= reads_of(source)

    def test_see_nothing_in_names_that_only_look_alike(self) -> None:
        assert reads_of("def one(process: Process) -> None:\n    process.api.port") == set()
