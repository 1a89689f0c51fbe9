"""Logs of servers: a line per event on standard error, JSON for machines or coloured text for people.

Bind `request_id`, `organization_id` and `run_id` with structlog.contextvars: every line written meanwhile has
them, those of libraries included.
"""

import contextlib
import json
import logging
import re
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from functools import lru_cache
from queue import SimpleQueue
from typing import Final, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from config.settings import LoggingSettings

HIDDEN: Final = "[hidden]"
SECRET_NAMES: Final = re.compile(
    r"passw|secret|token(?!_kind)|authorization|cookie|api_?key(?!_?id)|private|pepper|credential", re.IGNORECASE
)
# Our own keys, bearer headers, and passwords in addresses, wherever in a line they stand: also right behind a
# colour or an escaped end of line. A password ends at the last @, whatever people have put in it.
SECRET_VALUES: Final = (
    (re.compile(r"gwk_[A-Za-z0-9_-]{8,}"), HIDDEN),
    (re.compile(r"(?i)(bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}"), rf"\1 {HIDDEN}"),
    (re.compile(r'(://[^:/@\s"]*):[^\s"]{1,4096}(?=@)'), rf"\1:{HIDDEN}"),
)
PAUSE_SECONDS: Final = 0.1
Render = Callable[[WrappedLogger, str, EventDict], str]
SERVER: Final = "uvicorn.error"
"""Where uvicorn logs its start and its stop, errors or not."""
QUIETER: Final = {
    "alembic": logging.WARNING,
    "uvicorn.access": logging.WARNING,
    "sqlalchemy.engine": logging.WARNING,
    "httpx2": logging.WARNING,
    "httpcore2": logging.WARNING,
    # Each attempt to reach an S3 server that is away; domain.outages says what there is to say.
    "urllib3": logging.ERROR,
    # Each attempt of an activity that fails, with a traceback; activities.errors says what there is to say.
    "temporalio.activity": logging.ERROR,
}
"""The least important level that these write, whatever is set."""


def configure_logging(settings: LoggingSettings) -> None:
    """Send structlog's and the standard library's logs to standard error in one form.

    A logger of ours keeps the level and the form that it finds at its first line.
    """
    human = settings.format == "human" or (settings.format == "auto" and sys.stderr.isatty())
    render = _rendering(human=human)
    lines = _Lines(sys.stderr, render)
    level = settings.level.upper()
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        # Here, where the exception is handled. Local variables may hold secrets, so tracebacks are plain ones.
        structlog.processors.format_exc_info,
    ]
    libraries = _LibraryHandler(lines)
    libraries.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.ExtraAdder(), _without_extras, *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, render],
        )
    )
    root = logging.getLogger()
    for handler in root.handlers:
        handler.flush()
    root.handlers = [libraries]
    root.setLevel(level)
    for name, least in QUIETER.items():
        logging.getLogger(name).setLevel(max(least, root.level))
    # Ours go past the standard library, whose records cost twice what all of a small request does.
    structlog.configure(
        processors=[*shared, lambda _logger, _method, event: ((event,), {})],
        logger_factory=lambda name: _Logger(name, lines),
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=True,
    )


class _Lines:
    """Writes lines together, a tenth of a second late at most.

    Each write wakes whoever reads the log: done for every request, that took as long as the request. A warning,
    or worse, is written at once with all that came before it, and so is what the HTTP server says of itself: it
    dies by the signal that stopped it. So the end of the process loses nothing, a kill -9 what was not yet due.
    """

    def __init__(self, stream: TextIO, render: Render) -> None:
        self._stream = stream
        self._render = render
        self._waiting: deque[EventDict | str] = deque()
        self._writing = threading.Lock()
        self._writer: int | None = None
        self._news: SimpleQueue[None] = SimpleQueue()
        self._is_told = False
        threading.Thread(target=self._write_on_time, name="log", daemon=True).start()

    def add(self, line: EventDict | str, *, at_once: bool) -> None:
        """Take a line, or what will be put into words when it is written."""
        self._waiting.append(line)
        if at_once:
            self.flush()
        elif not self._is_told:
            self._is_told = True
            self._news.put(None)

    def flush(self) -> None:
        """Write what waits."""
        if self._writer == threading.get_ident():
            return  # a finalizer logs, and runs where this thread writes: that goes on until nothing waits
        with self._writing:
            self._writer = threading.get_ident()
            try:
                while self._waiting:
                    self._write([self._waiting.popleft() for _ in range(len(self._waiting))])
            finally:
                self._writer = None

    def _write(self, lines: list[EventDict | str]) -> None:
        text = "".join(line if isinstance(line, str) else self._in_words(line) for line in lines)
        with contextlib.suppress(OSError, ValueError):  # nobody reads any more
            self._stream.write(text)
            self._stream.flush()

    def _in_words(self, event: EventDict) -> str:
        return line_of(event["logger"], lambda: self._render(None, "", event))

    def _write_on_time(self) -> None:
        while True:
            self._news.get()
            time.sleep(PAUSE_SECONDS)
            self._is_told = False
            self.flush()


class _Logger:
    """Where structlog's events of one name end."""

    def __init__(self, name: str, lines: _Lines) -> None:
        self.name = name
        self._lines = lines

    def info(self, event: EventDict) -> None:
        self._lines.add(event, at_once=False)

    def warning(self, event: EventDict) -> None:
        self._lines.add(event, at_once=True)

    debug = info
    error = critical = warning


class _LibraryHandler(logging.Handler):
    """Takes what libraries log by the standard library."""

    def __init__(self, lines: _Lines) -> None:
        super().__init__()
        self._lines = lines

    def handle(self, record: logging.LogRecord) -> bool:
        """Take a record, without the handler's lock: a finalizer's may come while another thread has it."""
        self.emit(record)
        return True

    def emit(self, record: logging.LogRecord) -> None:
        at_once = record.levelno >= logging.WARNING or record.name == SERVER
        # Put into words here, since what is bound is bound here.
        self._lines.add(line_of(record.name, lambda: self.format(record)), at_once=at_once)

    def flush(self) -> None:
        self._lines.flush()


def line_of(logger: str, words: Callable[[], str]) -> str:
    """Give the line as it will be written: nothing secret in it, and its end behind it."""
    try:
        return f"{hide_in_line(words())}\n"
    except Exception as error:  # a line that can't be written stops nobody; nor is it shown as it is
        return f"a line of {logger} can't be put into words: {type(error).__name__}\n"


def hide_named(event: EventDict) -> dict[str, object]:
    """Hide what is named like a secret."""
    return {name: HIDDEN if _is_secret(name) else _hidden_in(value) for name, value in event.items()}


@lru_cache(maxsize=1024)
def _is_secret(name: str) -> bool:
    return SECRET_NAMES.search(name) is not None


def hide_in_line(line: str) -> str:
    """Hide what looks like a secret in a line as it will be written, whatever it was made of."""
    for pattern, instead in SECRET_VALUES:
        line = pattern.sub(instead, line)
    return line


def _without_extras(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    event.pop("color_message", None)  # uvicorn says everything twice
    event.pop("temporal_log", None)  # an object of the SDK's core, whose text is the message
    return event


def _hidden_in(value: object) -> object:
    match value:
        case dict():
            return hide_named({str(name): inner for name, inner in value.items()})
        case list() | tuple():
            return [_hidden_in(inner) for inner in value]
        case _:
            return value


def _rendering(*, human: bool) -> Render:
    if not human:
        return _in_json
    console = structlog.dev.ConsoleRenderer(
        colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
    )
    return lambda logger, method, event: console(logger, method, hide_named(event))


def _in_json(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
    hidden = hide_named(event)
    message = {"message": hidden.pop("event")}
    return json.dumps(message | hidden | message, default=str)  # the first of all, and no field's
