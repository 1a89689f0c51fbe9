"""What terraform and tofu say with -json, line by line.

Both write one object per line, mostly: init prints bare text in between, a crash prints a Go trace, and tofu's
init has lines without a type. So a line is never refused: what is not understood is kept as it is, to be shown.
"""

import json
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from domain.provisioning.failures import Diagnostic

_LONGEST_PARSED: Final = 1_000_000  # bytes; a longer line is shown by its beginning and not understood
_LONGEST_SHOWN: Final = 10_000  # characters of text that was not understood
_KEPT_DIAGNOSTICS: Final = 50
# How many apply_complete events a planned action leads to; reads and no-ops lead to none.
_STEPS: Final = {"create": 1, "update": 1, "delete": 1, "replace": 2, "import": 1, "forget": 0, "remove": 1}
_CHANGES: Final = frozenset({"apply_start", "apply_complete", "apply_errored"})


class ChangeSummary(BaseModel):
    """How many resources a plan would, or an apply did, add, change, import, remove and forget."""

    model_config = ConfigDict(frozen=True, validate_by_name=True, validate_by_alias=True)

    add: int = 0
    change: int = 0
    imported: int = Field(default=0, alias="import")
    remove: int = 0
    forget: int = 0


@dataclass(frozen=True, slots=True)
class RunEvent:
    """One line. `kind` is the CLI's own word (`apply_start`, `diagnostic`, …) or "text" for a bare line."""

    kind: str
    message: str
    level: str = "info"
    address: str | None = None
    action: str | None = None
    id_value: str | None = None
    version: str | None = None
    summary: ChangeSummary | None = None
    diagnostic: Diagnostic | None = None


def parse_line(line: bytes) -> RunEvent:
    """Understand a line as far as it can be understood. Never raises."""
    text = line.decode(errors="replace").strip("\r\n")
    if not text.startswith("{") or len(line) > _LONGEST_PARSED:
        return _bare(text)
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        return _bare(text)
    message = said.get("@message")
    if not isinstance(message, str):
        return _bare(text)
    about = _mapping(said.get("hook")) or _mapping(said.get("change"))
    return RunEvent(
        kind=_string(said.get("type")) or "log",
        message=_storable(message),
        level=_string(said.get("@level")) or "info",
        address=_string(_mapping(about.get("resource")).get("addr")),
        action=_string(about.get("action")),
        id_value=_string(about.get("id_value")),
        version=_string(said.get("terraform")) or _string(said.get("tofu")),
        summary=_summary(_mapping(said.get("changes"))),
        diagnostic=_diagnostic(_mapping(said.get("diagnostic"))),
    )


def human_line(line: bytes) -> str | None:
    """Give the text to show for a line of the log, several lines for a diagnostic; None if there is nothing."""
    event = parse_line(line)
    if event.diagnostic is not None:
        return event.diagnostic.as_text()
    return event.message if event.message.strip() else None


@dataclass(slots=True)
class RunTally:
    """What a stream has said so far: give it every event, in order, of one CLI call or of several."""

    version: str | None = None
    summary: ChangeSummary | None = None
    done: int = 0
    total: int | None = None
    last_message: str = ""
    diagnostics: list[Diagnostic] = field(default_factory=list)
    last_text: str = ""
    _in_flight: dict[str, None] = field(default_factory=dict)

    @property
    def in_flight(self) -> tuple[str, ...]:
        """Addresses whose change began and is not known to have ended, in order of beginning."""
        return tuple(self._in_flight)

    @property
    def errors(self) -> list[Diagnostic]:
        """Diagnostics that are errors."""
        return [diagnostic for diagnostic in self.diagnostics if diagnostic.severity == "error"]

    def add(self, event: RunEvent) -> None:
        """Take the next event. A CLI call begins with its version, and then the counts of the one before end."""
        if event.kind == "version":
            self.done, self.total, self.summary, self.last_text = 0, None, None, ""
            self.diagnostics.clear()
        self.version = event.version or self.version
        self.summary = event.summary or self.summary
        if event.diagnostic is not None and len(self.diagnostics) < _KEPT_DIAGNOSTICS:
            self.diagnostics.append(event.diagnostic)
        if event.kind == "text":
            self.last_text = event.message if event.message.strip() else self.last_text
        elif event.message:
            self.last_message = event.message
        if event.kind == "planned_change":
            self.total = (self.total or 0) + _STEPS.get(event.action or "", 0)
        if event.address is not None and event.kind in _CHANGES:
            self._note_change(event.address, event.kind)

    def _note_change(self, address: str, kind: str) -> None:
        if kind == "apply_start":
            self._in_flight[address] = None
            return
        self._in_flight.pop(address, None)
        self.done += kind == "apply_complete"


def _bare(text: str) -> RunEvent:
    return RunEvent(kind="text", message=_storable(text[:_LONGEST_SHOWN]))


def _summary(changes: dict[str, Any]) -> ChangeSummary | None:
    # `operation` tells a summary from other things called changes.
    if not isinstance(changes.get("operation"), str):
        return None
    names = ("add", "change", "import", "remove", "forget")
    counted = {name: changes[name] for name in names if type(changes.get(name)) is int}
    return ChangeSummary.model_validate(counted)


def _diagnostic(said: dict[str, Any]) -> Diagnostic | None:
    if not said:
        return None
    place = _mapping(said.get("range"))
    line = _mapping(place.get("start")).get("line")
    return Diagnostic(
        severity=_string(said.get("severity")) or "error",
        summary=_string(said.get("summary")) or "",
        detail=_string(said.get("detail")) or "",
        address=_string(said.get("address")),
        filename=_string(place.get("filename")),
        line=line if type(line) is int else None,
    )


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _string(value: object) -> str | None:
    return _storable(value) if isinstance(value, str) and value else None


def _storable(text: str) -> str:
    """Drop what PostgreSQL can't hold as text: NUL, and surrogates that JSON escapes can make."""
    return text.replace("\0", "").encode(errors="replace").decode()
