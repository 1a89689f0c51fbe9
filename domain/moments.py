"""Times that come in: in UTC, and in years that everything here can count with."""

from datetime import UTC, datetime
from typing import Annotated, Final

from pydantic import AfterValidator, AwareDatetime

FIRST: Final = datetime(2000, 1, 1, tzinfo=UTC)
END: Final = datetime(9000, 1, 1, tzinfo=UTC)
"""Beyond both there is room: to take off days, to add some, and to write either in any zone."""


def _in_utc(value: datetime) -> datetime:
    if not FIRST <= value < END:
        raise ValueError(f"is a time in the years {FIRST.year} to {END.year - 1}")
    return value.astimezone(UTC)


Moment = Annotated[AwareDatetime, AfterValidator(_in_utc)]
