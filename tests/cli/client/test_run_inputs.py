"""Values as people give them."""

import io
from pathlib import Path

import pytest
from cyclopts import CycloptsError
from pydantic import JsonValue

from cli.client.errors import FileUnusable
from cli.client.run_inputs import read_inputs, read_secrets


class TestReadInputs:
    @pytest.mark.parametrize(
        ("pair", "value"),
        [
            ("a=text", "text"),
            ("a=1.10", "1.10"),
            ("a=true", "true"),
            ("a=", ""),
            ("a=b=c", "b=c"),
            ('a=["x", 1]', ["x", 1]),
            ('a={"b": null}', {"b": None}),
            ('a="[quoted]"', "[quoted]"),
        ],
    )
    def test_reads_text_as_text_and_json_as_json(self, pair: str, value: JsonValue) -> None:
        assert read_inputs(None, [pair]) == {"a": value}

    def test_lets_pairs_win_over_the_file(self, tmp_path: Path) -> None:
        file = tmp_path / "inputs.json"
        file.write_text('{"a": 1, "b": 2}')
        assert read_inputs(file, ["b=3"]) == {"a": 1, "b": "3"}

    def test_gives_nothing_where_nothing_was_given_so_that_the_last_run_s_values_stay(self) -> None:
        assert read_inputs(None, []) is None

    @pytest.mark.parametrize(("pair", "sentence"), [("a", "name=value"), ("=a", "name=value"), ("a=[", "is none")])
    def test_refuses_what_can_not_be_meant(self, pair: str, sentence: str) -> None:
        with pytest.raises(CycloptsError, match=sentence):
            read_inputs(None, [pair])

    @pytest.mark.parametrize("content", ["", "[]", "name = 1"])
    def test_refuses_a_file_that_is_no_object(self, tmp_path: Path, content: str) -> None:
        (tmp_path / "inputs").write_text(content)
        with pytest.raises(FileUnusable, match="write a JSON object of values"):
            read_inputs(tmp_path / "inputs", [])


class TestReadSecrets:
    def test_takes_the_environment_first_and_then_lines_of_standard_input(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("TF_VAR_a", "from the environment")
        monkeypatch.setattr("sys.stdin", io.StringIO("first line\nsecond line\n"))
        assert read_secrets(["a", "b", "c"]) == {
            "a": "from the environment",
            "b": "first line",
            "c": "second line",
        }

    def test_refuses_a_value_on_the_command_line_without_repeating_it(self) -> None:
        with pytest.raises(CycloptsError) as refused:
            read_secrets(["password=hunter2"])
        assert "hunter2" not in str(refused.value)

    def test_does_not_repeat_a_value_that_is_broken_json(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("TF_VAR_a", "[hunter2")
        with pytest.raises(CycloptsError) as refused:
            read_secrets(["a"])
        assert "hunter2" not in str(refused.value)

    def test_needs_a_value(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("sys.stdin", io.StringIO(""))
        with pytest.raises(CycloptsError, match="TF_VAR_a"):
            read_secrets(["a"])
