"""States of deployments: the noun, what a state file says of itself, and why one may not fit."""

import json
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, Self
from uuid import UUID

from pydantic import BaseModel, Field

from domain.deployments.errors import StateUnreadable

HIGHEST_SERIAL: Final = 2**63 - 1  # what a column of the database holds
_LONGEST_SERIAL: Final = len(str(HIGHEST_SERIAL))


class StateVersion(BaseModel, frozen=True, from_attributes=True):
    """One state of a deployment as it was written; the bytes are encrypted and not in here."""

    id: UUID
    serial: int
    lineage: str
    size: int
    sha256: str = Field(description="Of the state file.")
    run_id: UUID | None = Field(description="Null where no run wrote it.")
    written_by: dict[str, str] = Field(description="Who wrote it: kind and id.")
    created_at: datetime


class Misfit(StrEnum):
    """Why a state can't be its deployment's newest.

    Its writer was superseded, it is of another history, it is an old one, or it is none at all (cut off in the
    middle, or something else that a module wrote in its place).
    """

    TOKEN = "token"  # noqa: S105  the word that the table has, no secret
    LINEAGE = "lineage"
    SERIAL = "serial"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class StateHead:
    """Where a state file stands in the history of its deployment."""

    serial: int
    lineage: str

    @classmethod
    def read(cls, data: bytes) -> Self:
        """Read it from the file.

        Raises:
            StateUnreadable: it is no state.
        """
        try:
            # A value may be a number of any length, and Python reads none of more than 4300 digits.
            said = json.loads(data, parse_int=_short_integer)
            serial, lineage = said["serial"], said["lineage"]
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise StateUnreadable("this is not a state file") from error
        if type(serial) is not int or not isinstance(lineage, str) or not 0 <= serial <= HIGHEST_SERIAL:
            raise StateUnreadable("this is not a state file")
        return cls(serial, lineage)

    def misfit_after(self, newest: Self | None) -> Misfit | None:
        """Say why this state can't follow its deployment's newest; None if it can."""
        if newest is None:
            return None
        if newest.lineage != self.lineage:
            return Misfit.LINEAGE
        return None if self.serial > newest.serial else Misfit.SERIAL


def _short_integer(digits: str) -> int | None:
    return int(digits) if len(digits) <= _LONGEST_SERIAL else None
