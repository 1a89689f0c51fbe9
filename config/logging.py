"""Logs of servers: a line per event on standard error, JSON for machines or coloured text for people.

Bind `request_id`, `organization_id` and `run_id` with structlog.contextvars: every line written meanwhile has
them, those of libraries included.
"""

import contextlib
import logging
import re
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
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
    (re.compile(r'(?<=://)([^:/@\s"]*):[^\s"]{1,4096}(?=@)'), rf"\1:{HIDDEN}"),
)
PAUSE_SECONDS: Final = 0.1
SERVER: Final = "uvicorn.error"
"""Where uvicorn logs its start and its stop, errors or not."""
QUIETER: Final = {
    "alembic": logging.WARNING,
    "uvicorn.access": logging.WARNING,
    "sqlalchemy.engine": logging.WARNING,
    "httpx2": logging.WARNING,
    "httpcore2": logging.WARNING,
    # Each attempt of an activity that fails, with a traceback; activities.errors says what there is to say.
    "temporalio.activity": logging.ERROR,
}
"""The least important level that these write, whatever is set."""


def configure_logging(settings: LoggingSettings) -> None:
    """Send structlog's and the standard library's logs to standard error in one form."""
    human = settings.format == "human" or (settings.format == "auto" and sys.stderr.isatty())
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        _without_extras,
    ]
    handler = _LineHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.ExtraAdder(), *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_rendering(human=human)],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(settings.level.upper())
    for name, level in QUIETER.items():
        logging.getLogger(name).setLevel(max(level, root.level))
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


class _LineHandler(logging.StreamHandler[TextIO]):
    """Writes lines together, a tenth of a second late at most.

    Each write wakes whoever reads the log: done for every request, that took as long as the request. A warning,
    or worse, is written at once with all that came before it, and so is what the HTTP server says of itself: it
    dies by the signal that stopped it. So the end of the process loses nothing, a kill -9 what was not yet due.
    """

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._lines: deque[logging.LogRecord | str] = deque()
        self._writing = threading.Lock()
        self._some = threading.Event()
        threading.Thread(target=self._write_on_time, name="log", daemon=True).start()

    def emit(self, record: logging.LogRecord) -> None:
        # One of ours holds all that it says, and is put into words later; a library's takes what is bound here.
        self._lines.append(record if isinstance(record.msg, dict) else self._line(record))
        if record.levelno >= logging.WARNING or record.name == SERVER:
            self.flush()
        elif not self._some.is_set():
            self._some.set()

    def flush(self) -> None:
        with self._writing:
            lines = [self._lines.popleft() for _ in range(len(self._lines))]
            text = "".join(line if isinstance(line, str) else self._line(line) for line in lines)
            with contextlib.suppress(OSError, ValueError):  # nobody reads any more
                self.stream.write(text)
                self.stream.flush()

    def _line(self, record: logging.LogRecord) -> str:
        try:
            return hide_in_line(self.format(record)) + self.terminator
        except Exception as error:  # a line that can't be written stops nobody; nor is it shown as it is
            return f"a line of {record.name} can't be put into words: {type(error).__name__}{self.terminator}"

    def _write_on_time(self) -> None:
        while self._some.wait():
            time.sleep(PAUSE_SECONDS)
            self._some.clear()
            self.flush()


def hide_named(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Hide what is named like a secret."""
    return {name: HIDDEN if SECRET_NAMES.search(name) else _hidden_in(value) for name, value in event.items()}


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
            return hide_named(None, "", {str(name): inner for name, inner in value.items()})
        case list() | tuple():
            return [_hidden_in(inner) for inner in value]
        case _:
            return value


def _rendering(*, human: bool) -> list[Processor]:
    exceptions: Processor = structlog.processors.format_exc_info
    # Local variables of a traceback may hold secrets, so plain tracebacks are used in both forms.
    if human:
        render: Callable[[WrappedLogger, str, EventDict], str] = structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
        return [exceptions, hide_named, render]
    return [
        exceptions,
        hide_named,
        structlog.processors.EventRenamer("message"),
        structlog.processors.JSONRenderer(default=str),
    ]
