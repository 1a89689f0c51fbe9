"""How the client's commands show documents: tables for people, plain lines for pipes, JSON or ids when asked."""

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from cyclopts import Parameter
from cyclopts.validators import Number

from cli.client.api import Document
from cli.output import Output, colours_wanted

WIDE: Final = 120
"""Characters from which on a terminal gets every column."""
FOLDED: Final = 24
"""Characters down to which a column is folded before an extra one is left out."""
GAP: Final = 2
EXPIRES_SOON: Final = "expires soon"
STATE_COLOURS: Final = {
    "applied": "green",
    "live": "green",
    "planned": "green",
    "failed": "red",
    "revoked": "red",
    "expired": "yellow",
    EXPIRES_SOON: "yellow",
    "timed_out": "red",
    "needs_attention": "red",
    "blocked": "red",
    "canceled": "yellow",
    "rejected": "yellow",
    "unfinished": "yellow",
    "awaiting_approval": "yellow",
}
STEERING: Final = (*range(32), *range(127, 160), *range(0x202A, 0x202F), *range(0x2066, 0x206A))
"""Control characters, and those that turn the direction of reading."""
CONTROLS: Final = {code: None for code in STEERING if chr(code) not in "\t\n"}
Value = str | Callable[[Document], Any]
"""What is shown of a document: one of its fields, or how to make it."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table: its title, and the field it shows or how to make it.

    A terminal narrower than 120 characters is spared those columns that are `extra` and for which there is no room
    beside the others; the higher go first. Pipes get all.
    """

    title: str
    value: Value
    extra: int = 0

    def of(self, document: Document) -> str:
        """Give one cell, on one line."""
        return " ".join(shown(_value(document, self.value)).split())


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class ClientOutput(Output):
    """How a command of the client speaks."""

    json: Annotated[bool, Parameter(negative="", help="Print the API's own documents.")] = False
    quiet: Annotated[bool, Parameter(negative="", name=["--quiet", "-q"], help="Print ids only.")] = False

    def listing(
        self,
        items: Iterable[Document],
        columns: Sequence[Column],
        *,
        empty: str | Callable[[], str],
        id_field: Value = "id",
    ) -> None:
        """Print a list: a table on a terminal, tab-separated lines elsewhere; `empty` says what to do next."""
        if self.json:
            self.result(list(items), "")
        elif self.quiet:
            for item in items:
                print(_value(item, id_field))
        elif sys.stdout.isatty():
            found = list(items)
            if found:
                _table(found, columns)
            else:
                self._nothing(empty)
        else:
            printed = False
            for item in items:
                print("\t".join(column.of(item) for column in columns))
                printed = True
            if not printed:
                self._nothing(empty)

    def _nothing(self, empty: str | Callable[[], str]) -> None:
        self.progress(empty if isinstance(empty, str) else empty())

    def noun(self, document: Document, human: str, *, id_field: Value = "id") -> None:
        """Print what was made or asked for: its sentence for people, or the document."""
        if self.quiet and not self.json:
            print(_value(document, id_field))
        else:
            self.result(document, human)


PEOPLE: Final = ClientOutput()
"""What a command assumes: a person reads."""

Limit = Annotated[int | None, Parameter(validator=Number(gte=1), help="How many at most; all by default.")]
"""The bound that every command takes that lists something."""


def shown(value: object) -> str:
    """Write a value of a document for people, without anything that steers their terminal."""
    match value:
        case None:
            return "-"
        case bool():
            return "yes" if value else "no"
        case list():
            return ", ".join(map(shown, value)) or "-"
        case str():
            return without_controls(value)
        case _:
            return str(value)


def without_controls(text: str) -> str:
    """Take out what would move the cursor, change colours or retitle a terminal."""
    return text.translate(CONTROLS)


def labelled(lines: Mapping[str, object]) -> str:
    """Write a thing as lines of a label and what is behind it, a state in its colour; what is None is left out."""
    said = {label: value for label, value in lines.items() if value is not None}
    width = max(map(len, said), default=0)
    return "\n".join(
        f"{label:<{width}}  {coloured(str(value)) if label == 'state' else shown(value)}"
        for label, value in said.items()
    )


def moment(field: str) -> Callable[[Document], str | None]:
    """Make a column's value of a field that is a time: to the minute, in the reader's time zone."""

    def value(document: Document) -> str | None:
        written = document.get(field)
        return None if written is None else f"{datetime.fromisoformat(written).astimezone():%Y-%m-%d %H:%M}"

    return value


def key_state(document: Document) -> str:
    """Say whether a key still works."""
    if document["revoked_at"] is not None:
        return "revoked"
    expiry = document["expires_at"]
    return "expired" if expiry is not None and datetime.fromisoformat(expiry) <= datetime.now(UTC) else "active"


def coloured(state: str) -> str:
    """Give the state of a run, in its colour where the terminal takes it."""
    codes = {"green": "32", "red": "31", "yellow": "33"}
    colour = STATE_COLOURS.get(state)
    if colour is None or not colours_wanted():
        return state
    return f"\x1b[{codes[colour]}m{state}\x1b[0m"


def _value(document: Document, of: Value) -> Any:  # noqa: ANN401  whatever stands in the API's JSON
    return document.get(of) if isinstance(of, str) else of(document)


def _table(items: Sequence[Document], columns: Sequence[Column]) -> None:
    from rich.console import Console  # noqa: PLC0415  a tenth of a second that only terminals pay
    from rich.table import Table  # noqa: PLC0415  the same
    from rich.text import Text  # noqa: PLC0415  the same

    console = Console(no_color=not colours_wanted(), highlight=False)
    table = Table(box=None, pad_edge=False, header_style="bold")
    lists = {column: [column.of(item) for item in items] for column in columns}
    fitting = columns if console.width >= WIDE else _fitting(lists, console.width)
    for column in fitting:
        table.add_column(column.title, overflow="fold", no_wrap=column.title == "ID")
    for cells in zip(*(lists[column] for column in fitting), strict=True):
        table.add_row(*(Text(cell, style=STATE_COLOURS.get(cell, "")) for cell in cells))
    console.print(table)


def _fitting(lists: Mapping[Column, Sequence[str]], width: int) -> list[Column]:
    fitting: list[Column] = []
    left = width + GAP
    for column in sorted(lists, key=lambda column: column.extra):
        longest = max(map(len, (column.title, *lists[column])))
        left -= GAP + (longest if column.extra else min(longest, FOLDED))
        if left >= 0 or not column.extra:
            fitting.append(column)
    return [column for column in lists if column in fitting]
