"""What is said of inputs that do not fit the variables of a module."""

from pathlib import Path

import pytest

from domain.provisioning.events import RunTally
from domain.provisioning.failures import Diagnostic
from integrations.engines.engine import StepFolder
from workers.runner.variables import declared_variables, exposed_inputs, may_be_exposed, unusable_inputs


def undeclared(name: str) -> Diagnostic:
    detail = f'The root module does not declare a variable named "{name}" but a value was found in file "x.json".'
    return Diagnostic("warning", "Value for undeclared variable", detail)


MORE_UNDECLARED = Diagnostic("warning", "Values for undeclared variables", "In addition to the other 2 …")
MISSING = Diagnostic(
    "error",
    "No value for required variable",
    'The root module input variable "size" is not set, and has no default value. Use a -var or -var-file …',
)


def said(*diagnostics: Diagnostic) -> RunTally:
    return RunTally(diagnostics=list(diagnostics))


class TestUnusableInputs:
    @pytest.mark.parametrize(
        ("tally", "inputs", "declared", "message"),
        [
            (
                said(undeclared("siez")),
                {"siez": 1},
                ["secret", "size"],
                "the module has no variable siez (it has secret, size): did you mean size?",
            ),
            (said(undeclared("zone")), {"zone": 1}, [], "the module has no variable zone (it has none)"),
            (
                said(undeclared("a"), undeclared("b"), MORE_UNDECLARED),
                {"a": 1, "b": 1, "c": 1, "size": 1},
                ["size"],
                "the module has no variable a, b, c (it has size)",
            ),
            (said(MISSING), {}, [], "the module needs a value for size: give it with --input size=..."),
            (
                said(undeclared("siez"), MISSING),
                {"siez": 1},
                ["size"],
                (
                    "the module has no variable siez (it has size): did you mean size?; "
                    "the module needs a value for size: give it with --input size=..."
                ),
            ),
        ],
    )
    def test_are_named_with_what_was_meant(
        self, tally: RunTally, inputs: dict[str, int], declared: list[str], message: str
    ) -> None:
        found = unusable_inputs(tally, dict(inputs), declared, refuse_undeclared=True)
        assert found is not None
        assert found.message == message

    def test_that_the_module_does_not_have_may_be_left_out(self) -> None:
        assert unusable_inputs(said(undeclared("siez")), {"siez": 1}, ["size"], refuse_undeclared=False) is None

    def test_are_none_where_the_cli_complains_of_none(self) -> None:
        assert unusable_inputs(said(), {"size": 1}, [], refuse_undeclared=True) is None


class TestExposedInputs:
    @pytest.mark.parametrize("described", [b"", b"[]", b'{"configuration": {"root_module": {"variables": 1}}}'])
    def test_are_none_where_the_cli_does_not_tell(self, described: bytes) -> None:
        assert exposed_inputs(described, {"password": "a"}) == ()

    @pytest.mark.parametrize(
        ("source", "inputs", "worth_asking"),
        [
            ('variable "a" {\n  sensitive = true\n}\n', {"a": 1}, True),
            ('variable "a" {\n  sensitive = true\n}\n', {"b": 1}, False),
            ('variable "a" {}\n', {"a": 1}, False),
        ],
    )
    def test_are_asked_for_where_there_may_be_some(
        self, tmp_path: Path, source: str, inputs: dict[str, int], *, worth_asking: bool
    ) -> None:
        folder = StepFolder(tmp_path)
        folder.module.mkdir()
        (folder.module / "main.tf").write_text(source)
        assert may_be_exposed(folder, dict(inputs)) is worth_asking


class TestDeclaredVariables:
    def test_are_those_of_the_root_module(self, tmp_path: Path) -> None:
        folder = StepFolder(tmp_path)
        (folder.module / "inner").mkdir(parents=True)
        (folder.module / "main.tf").write_text('variable "size" {}\n# variable "no" {}\n  variable zone {\n}\n')
        (folder.module / "more.tf.json").write_text('{"variable": {"name": {}}}')
        (folder.module / "odd.tf.json").write_text("[1")
        (folder.module / "inner" / "main.tf").write_text('variable "inner" {}')
        (folder.module / "link.tf").symlink_to("/dev/zero")
        assert declared_variables(folder) == ["name", "size", "zone"]
