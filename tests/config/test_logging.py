"""Logs: one form for our lines and the libraries', with what is bound, and without what is secret."""

import io
import json
import logging
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from config.logging import configure_logging
from config.settings import LoggingSettings

SECRET = "gwk_p_canary0123456789abcdef"


class Stream(io.StringIO):
    """Standard error, and what was written to it in one piece."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[str] = []
        self.wrote = threading.Event()

    def write(self, text: str) -> int:
        self.pieces.append(text)
        self.wrote.set()
        return super().write(text)


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Write to a terminal."""
    monkeypatch.setattr(Stream, "isatty", lambda _: True)


@pytest.fixture
def logged(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stream]:
    """Log as JSON, or as the settings say; give what is written, and put back what was there."""
    written = Stream()
    monkeypatch.setattr(sys, "stderr", written)
    root = logging.getLogger()
    before = root.handlers, root.level, structlog.get_config()
    structlog.reset_defaults()
    configure_logging(LoggingSettings.model_validate({"format": "json"} | getattr(request, "param", {})))
    yield written
    structlog.contextvars.clear_contextvars()
    root.handlers, level, config = before
    root.setLevel(level)
    structlog.configure(**config)


def lines(logged: Stream) -> list[dict[str, object]]:
    return [json.loads(line) for line in written(logged).splitlines()]


def written(logged: Stream) -> str:
    for handler in logging.getLogger().handlers:
        handler.flush()
    return logged.getvalue()


class TestForm:
    def test_a_line_has_time_level_logger_message_and_facts(self, logged: Stream) -> None:
        structlog.get_logger("services.runs").info("run_admitted", run_id="r-1")
        (line,) = lines(logged)
        assert line.pop("timestamp")
        assert line == {"level": "info", "logger": "services.runs", "message": "run_admitted", "run_id": "r-1"}

    def test_what_is_bound_is_in_the_lines_of_libraries_too(self, logged: Stream) -> None:
        structlog.contextvars.bind_contextvars(request_id="q-1", organization_id="o-1")
        structlog.get_logger("api").info("ours")
        logging.getLogger("sqlalchemy.pool").warning("theirs %s", 1)
        ours, theirs = lines(logged)
        assert [line["message"] for line in (ours, theirs)] == ["ours", "theirs 1"]
        assert {(line["request_id"], line["organization_id"]) for line in (ours, theirs)} == {("q-1", "o-1")}

    @pytest.mark.parametrize("logged", [{"level": "error"}], indirect=True)
    def test_less_than_the_level_is_not_written(self, logged: Stream) -> None:
        structlog.get_logger("api").warning("small_talk")
        logging.getLogger("library").warning("small talk")
        structlog.get_logger("api").error("trouble")
        assert [line["message"] for line in lines(logged)] == ["trouble"]

    def test_no_field_is_taken_for_the_message(self, logged: Stream) -> None:
        structlog.get_logger("api").info("request", message="another")
        assert [line["message"] for line in lines(logged)] == ["request"]


class TestWriting:
    def test_lines_are_written_soon_and_together(self, logged: Stream) -> None:
        for number in range(100):
            structlog.get_logger("api").info("request", number=number)
        assert logged.wrote.wait(10)
        assert len(logged.pieces) < 100

    def test_a_warning_is_written_at_once_with_all_before_it(self, logged: Stream) -> None:
        structlog.get_logger("api").info("first")
        structlog.get_logger("api").warning("then")
        said = "".join(logged.pieces)
        assert said.index("first") < said.index("then")

    def test_what_a_finalizer_logs_meanwhile_holds_up_nobody(self, logged: Stream) -> None:
        class Finalized:
            def __repr__(self) -> str:
                logging.getLogger("asyncio").error("never retrieved")  # as the garbage collector may have it
                return "seen"

        said = threading.Thread(
            target=lambda: structlog.get_logger("api").warning("first", it=Finalized()), daemon=True
        )
        said.start()
        said.join(10)
        assert [line["message"] for line in lines(logged)] == ["first", "never retrieved"]

    def test_a_reader_that_has_gone_stops_nobody(self, logged: Stream) -> None:
        logged.close()
        structlog.get_logger("api").error("nobody_reads")


class TestSecrets:
    @pytest.mark.parametrize("name", ["password", "api_key", "Authorization", "access_token", "client_secret"])
    def test_what_is_named_like_one_is_hidden(self, logged: Stream, name: str) -> None:
        structlog.get_logger("api").info("seen", **{name: "canary"}, nested={name: "canary"})
        assert "canary" not in written(logged)

    @pytest.mark.parametrize("name", ["api_key_id", "organization_id", "kid"])
    def test_an_id_is_no_secret(self, logged: Stream, name: str) -> None:
        structlog.get_logger("api").info("seen", **{name: "shown"})
        assert lines(logged)[0][name] == "shown"

    @pytest.mark.parametrize(
        "text",
        [
            f"key {SECRET} was used",
            "Authorization: Bearer canary0123456789",
            "postgresql://app:canary-password@db/groundwork refused",
            "postgresql://app:can/canary@canary@db/groundwork refused",
            f"two\n{SECRET} lines",
        ],
    )
    def test_what_looks_like_one_is_hidden_inside_any_text(self, logged: Stream, text: str) -> None:
        structlog.get_logger("api").info(text, detail=text, many=[text])
        logging.getLogger("library").error(text)
        said = written(logged)
        assert "canary" not in said
        assert said.count("[hidden]") == 4

    @pytest.mark.parametrize(
        "value",
        [
            ValueError(SECRET),
            SECRET.encode(),
            {SECRET},
            {SECRET: 1},
            {1: SECRET},
            [{("a", SECRET): None}],
            Path(SECRET),
        ],
        ids=lambda value: type(value).__name__,
    )
    @pytest.mark.parametrize("logged", [{"format": "json"}, {"format": "human"}], indirect=True)
    def test_it_is_hidden_in_what_is_no_text(self, logged: Stream, value: object) -> None:
        structlog.get_logger("api").info("seen", value=value)
        logging.getLogger("library").error("seen %s", value)
        said = written(logged)
        assert "canary" not in said
        assert said.count("[hidden]") == 2

    @pytest.mark.usefixtures("terminal")
    @pytest.mark.parametrize("logged", [{"format": "human"}], indirect=True)
    def test_it_is_hidden_in_colours(self, logged: Stream) -> None:
        structlog.get_logger("api").info("seen", value=SECRET)
        said = written(logged)
        assert "\x1b[" in said
        assert "canary" not in said

    def test_a_line_that_can_not_be_written_is_shown_by_its_logger_alone(self, logged: Stream) -> None:
        class Silent:
            def __str__(self) -> str:
                raise RuntimeError

        structlog.get_logger("api").info("seen", value=Silent(), key=SECRET)
        assert written(logged) == "a line of api can't be put into words: RuntimeError\n"

    def test_a_traceback_shows_no_value_of_a_variable_and_no_secret(self, logged: Stream) -> None:
        def fail(local: str) -> None:
            raise ValueError(f"{len(local)} {SECRET}")

        try:
            fail(chr(65) * 20)
        except ValueError:
            structlog.get_logger("api").exception("failed")
        said = written(logged)
        assert "ValueError: 20 [hidden]" in said
        assert "A" * 20 not in said
