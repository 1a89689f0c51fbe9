"""How documents are shown."""

import io
import json
import re
from contextlib import redirect_stdout

import pytest

from cli.client.showing import ClientOutput, Column, coloured, moment, shown, without_controls

ITEMS = [
    {"id": "1", "name": "one", "state": "failed"},
    {"id": "2", "name": "two\x1b]0;title\x07", "state": "applied"},
]
COLUMNS = (Column("ID", "id"), Column("NAME", "name"), Column("STATE", "state"))


class Terminal(io.StringIO):
    """Standard output as a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    return Terminal()


class TestListing:
    def test_is_a_table_on_a_terminal(self, terminal: Terminal) -> None:
        with redirect_stdout(terminal):
            ClientOutput().listing(ITEMS, COLUMNS, empty="nothing")
        lines = terminal.getvalue().splitlines()
        assert len(lines) == 3
        assert "NAME" in lines[0]
        assert "\x1b[31mfailed" in lines[1]

    @pytest.mark.parametrize(
        ("width", "titles"),
        [
            (20, "ID STATE"),
            (33, "ID NAME STATE"),
            (60, "ID NAME STATE REASON"),
            (120, "ID NAME LONG STATE REASON"),
        ],
    )
    def test_leaves_out_what_matters_least_where_there_is_no_room(
        self, terminal: Terminal, monkeypatch: pytest.MonkeyPatch, width: int, titles: str
    ) -> None:
        monkeypatch.setenv("COLUMNS", str(width))
        columns = (
            Column("ID", "id"),
            Column("NAME", lambda _: "n" * 20, extra=1),
            Column("LONG", lambda _: "long " * 40, extra=3),
            Column("STATE", "state"),
            Column("REASON", lambda _: "r" * 20, extra=2),
        )
        with redirect_stdout(terminal):
            ClientOutput().listing(ITEMS, columns, empty="nothing")
        assert re.sub(r"\x1b\[[0-9;]*m", "", terminal.getvalue().splitlines()[0]).split() == titles.split()

    def test_has_no_colours_where_people_want_none(
        self, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("NO_COLOR", "1")
        with redirect_stdout(terminal):
            ClientOutput().listing(ITEMS, COLUMNS, empty="nothing")
            assert coloured("failed") == "failed"
        assert "failed" in terminal.getvalue()
        assert "\x1b[3" not in terminal.getvalue()

    def test_says_what_to_do_instead_of_an_empty_table(
        self, terminal: Terminal, capsys: pytest.CaptureFixture[str]
    ) -> None:
        with redirect_stdout(terminal):
            ClientOutput().listing([], COLUMNS, empty="make one")
        assert terminal.getvalue() == ""
        assert capsys.readouterr().err == "make one\n"

    def test_is_plain_lines_for_a_pipe(self, capsys: pytest.CaptureFixture[str]) -> None:
        ClientOutput().listing(ITEMS, COLUMNS, empty="nothing")
        assert capsys.readouterr().out == "1\tone\tfailed\n2\ttwo]0;title\tapplied\n"

    def test_keeps_each_thing_on_one_line_whatever_it_is_called(self, capsys: pytest.CaptureFixture[str]) -> None:
        ClientOutput().listing([{"id": "1", "name": "one\n2\ttwo", "state": "s"}], COLUMNS, empty="nothing")
        assert capsys.readouterr().out == "1\tone 2 two\ts\n"

    def test_is_ids_when_quiet_and_documents_as_json(self, capsys: pytest.CaptureFixture[str]) -> None:
        ClientOutput(quiet=True).listing(ITEMS, COLUMNS, empty="nothing")
        assert capsys.readouterr().out == "1\n2\n"
        ClientOutput(json=True, quiet=True).listing(ITEMS, COLUMNS, empty="nothing")
        assert json.loads(capsys.readouterr().out) == ITEMS

    def test_of_nothing_is_silent_when_quiet(self, capsys: pytest.CaptureFixture[str]) -> None:
        ClientOutput(quiet=True).listing([], COLUMNS, empty="make one")
        captured = capsys.readouterr()
        assert (captured.out, captured.err) == ("", "")


class TestShown:
    @pytest.mark.parametrize(
        ("value", "text"),
        [(None, "-"), ([], "-"), (["a", "b"], "a, b"), (True, "yes"), (3, "3"), ("a\tb", "a\tb")],
    )
    def test_writes_values_for_people(self, value: object, text: str) -> None:
        assert shown(value) == text

    def test_steers_no_terminal(self) -> None:
        assert without_controls("\x1b[31mred\x9b2J\r\x07\x00\u202e\u2066") == "[31mred2J"

    def test_gives_times_to_the_minute(self) -> None:
        written = moment("at")({"at": "2026-01-02T03:04:05.678901Z"})
        assert written is not None
        assert len(written) == len("2026-01-02 03:04")
        assert moment("at")({"at": None}) is None
