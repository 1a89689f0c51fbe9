"""Lines of both CLIs, and any other line."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.provisioning.events import ChangeSummary, RunTally, human_line, parse_line
from domain.text import storable

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from(
    ["@message", "@level", "type", "hook", "change", "changes", "diagnostic", "resource", "addr", "action"]
)
KINDS = st.sampled_from(
    ["version", "apply_start", "apply_complete", "planned_change", "change_summary", "diagnostic"]
)


def said(kind: str, **more: object) -> bytes:
    return json.dumps({"@level": "info", "@message": f"a {kind}", "type": kind} | more).encode()


def about(address: str, **more: object) -> dict[str, object]:
    return {"resource": {"addr": address}} | more


class TestParseLine:
    @given(st.binary(max_size=200))
    def test_takes_any_bytes(self, line: bytes) -> None:
        self.is_storable(line)

    @given(st.dictionaries(NAMES, VALUES | st.dictionaries(NAMES, VALUES, max_size=3), max_size=6), KINDS)
    def test_takes_any_object(self, line: dict[str, object], kind: str) -> None:
        self.is_storable(json.dumps({"@message": "a", "type": kind} | line).encode())

    @pytest.mark.parametrize(
        "line",
        [
            b"[" * 100_000,
            b'{"a":' * 100_000,
            b'{"@message":' + b"9" * 10_000 + b"}",
            b'{"@message":"\\ud800\\u0000"}',
        ],
    )
    def test_takes_what_json_readers_choke_on(self, line: bytes) -> None:
        self.is_storable(line)

    @pytest.mark.parametrize("cli", ["terraform", "tofu"])
    def test_understands_the_version(self, cli: str) -> None:
        assert parse_line(said("version", **{cli: "1.12.6"})).version == "1.12.6"

    def test_understands_a_completed_change(self) -> None:
        event = parse_line(
            said("apply_complete", hook=about("time_sleep.s[0]", action="create", id_key="id", id_value="i-1"))
        )
        assert (event.kind, event.address, event.action, event.id_value) == (
            "apply_complete",
            "time_sleep.s[0]",
            "create",
            "i-1",
        )

    def test_understands_a_summary(self) -> None:
        line = said(
            "change_summary", changes={"add": 1, "change": 2, "import": 3, "remove": 4, "operation": "plan"}
        )
        assert parse_line(line).summary == ChangeSummary(add=1, change=2, imported=3, remove=4)

    def test_keeps_the_kinds_it_does_not_know(self) -> None:
        assert parse_line(said("action_progress")).kind == "action_progress"

    def test_a_line_of_tofu_without_a_type_is_a_log_line(self) -> None:
        assert parse_line(b'{"@level":"info","@message":"Initializing the backend..."}').kind == "log"

    @staticmethod
    def is_storable(line: bytes) -> None:
        event = parse_line(line)
        for text in (event.message, event.address, event.action, event.id_value, event.kind, human_line(line)):
            assert text is None or storable(text) == text
        RunTally().add(event)


class TestHumanLine:
    def test_a_diagnostic_says_what_where_and_why(self) -> None:
        diagnostic = {
            "severity": "error",
            "summary": "Unsupported argument",
            "detail": 'An argument named "x" is not expected here.',
            "range": {"filename": "main.tf", "start": {"line": 3}},
        }
        shown = human_line(said("diagnostic", diagnostic=diagnostic))
        assert shown == (
            'Error: Unsupported argument\n  on main.tf line 3\nAn argument named "x" is not expected here.'
        )

    def test_an_empty_line_shows_nothing(self) -> None:
        assert human_line(b"\n") is None

    def test_bare_text_is_shown_as_it_is(self) -> None:
        assert human_line(b"panic: runtime error\n") == "panic: runtime error"


class TestRunTally:
    def test_counts_what_is_done_of_what_was_planned(self) -> None:
        tally = self.of(
            said("version", terraform="1.11.4"),
            said("planned_change", change=about("a.one", action="create")),
            said("planned_change", change=about("a.two", action="replace")),
            said("planned_change", change=about("data.a.three", action="read")),
            said("apply_start", hook=about("a.one", action="create")),
            said("apply_complete", hook=about("a.one", action="create")),
        )
        assert (tally.done, tally.total) == (1, 3)

    def test_knows_what_is_in_flight(self) -> None:
        tally = self.of(
            *(said("apply_start", hook=about(f"a.x{number}")) for number in range(3)),
            said("apply_complete", hook=about("a.x0")),
            said("apply_errored", hook=about("a.x2")),
        )
        assert tally.in_flight == ("a.x1",)

    def test_begins_anew_with_each_call_of_the_cli(self) -> None:
        tally = self.of(
            said("diagnostic", diagnostic={"severity": "error", "summary": "of init"}),
            said("change_summary", changes={"add": 1, "operation": "plan"}),
            said("version", tofu="1.12.6"),
        )
        assert (tally.errors, tally.summary, tally.version) == ([], None, "1.12.6")

    @staticmethod
    def of(*lines: bytes) -> RunTally:
        tally = RunTally()
        for line in lines:
            tally.add(parse_line(line))
        return tally
