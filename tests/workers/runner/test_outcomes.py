"""Reading outputs, whatever a state says."""

import json
from pathlib import Path

import pytest

from workers.runner.outcomes import outputs_in, outputs_of

TEXTS = ["a\0b", "\U0001f600", "plain"]
HALVES = [('"a\\ud83db"', "a\ufffdb"), ('"\\ude00"', "\ufffd"), ('"\\ud83d\\ude00"', "\U0001f600")]


def outputs(value: str) -> bytes:
    return f'{{"o": {{"value": {value}, "type": "string", "sensitive": false}}}}'.encode()


class TestOutputs:
    @pytest.mark.parametrize("text", TEXTS)
    def test_are_as_they_were(self, tmp_path: Path, text: str) -> None:
        state = tmp_path / "state"
        state.write_bytes(b'{"outputs": ' + outputs(json.dumps(text)) + b"}")
        for found in (outputs_in(state), outputs_of(outputs(json.dumps(text)))):
            assert found is not None
            assert found["o"].value == text

    @pytest.mark.parametrize(("written", "read"), HALVES)
    def test_have_a_mark_for_half_a_surrogate_pair(self, written: str, read: str) -> None:
        found = outputs_of(outputs(written))
        assert found is not None
        assert found["o"].value == read
        assert found["o"].model_dump_json()

    @pytest.mark.parametrize("said", [b"", b"[]", b'{"o": 1}', b"\xff", b"[" * 100_000])
    def test_are_none_where_there_is_no_answer(self, said: bytes) -> None:
        assert outputs_of(said) is None
