"""Versions that should no longer be used: deprecated ones warn, yanked ones are not offered any more.

Neither takes a published byte away: whoever has a version's address still gets it. Refused ones nobody gets.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Final, Protocol

from pydantic import AfterValidator, BaseModel, Field, StringConstraints

from domain.enumerating import first_of_counted

NAMED: Final = 5
"""Versions that a warning names; it is printed at each `init`."""


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("is one line without control characters: terminals of others print it")
    return text


Line = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500), AfterValidator(_printable)
]
"""What a publisher says and the command line tools print, in terminals of people who did not choose it."""


class Deprecation(BaseModel, frozen=True):
    """A version still works and is still offered, and its users are told to move on."""

    message: str = Field(description="Why, and what to do.")
    replacement: str | None = Field(description="What to use instead: another version or address.")
    deprecated_at: datetime


class Yank(BaseModel, frozen=True):
    """A version that no list of versions offers any more; its download still answers who has its address.

    Both tools choose from the list alone, even where a lock file names a version: `init` fails there, until it is
    told to upgrade.
    """

    reason: str
    yanked_at: datetime


class Refusal(BaseModel, frozen=True):
    """Nothing vouches for a release any more: its last verification refused it, or its key was revoked.

    No list offers it and no download answers, until another verification is good.
    """

    reason: str
    refused_at: datetime


class Withdrawable(Protocol):
    """A published version, as far as it may be withdrawn."""

    @property
    def version(self) -> str:
        """Give its version."""

    @property
    def deprecation(self) -> Deprecation | None:
        """Give what its users are told."""

    @property
    def yank(self) -> Yank | None:
        """Give why it is not offered."""

    @property
    def refusal(self) -> Refusal | None:
        """Give why it is not served."""


def warnings_of(versions: Iterable[Withdrawable]) -> list[str]:
    """Say what is wrong with some of a provider's versions, those of one reason in one sentence.

    The registry protocol has nothing for a single version: the tools print this whichever version they choose.
    """
    said: defaultdict[str, list[str]] = defaultdict(list)
    for each in versions:
        if each.refusal is not None:
            said[f"refused, so no longer offered: {each.refusal.reason}"].append(each.version)
        elif each.yank is not None:
            said[f"yanked, so no longer offered: {each.yank.reason}"].append(each.version)
        elif each.deprecation is not None:
            instead = each.deprecation.replacement
            advice = "" if instead is None else f" (use {instead})"
            said[f"deprecated: {each.deprecation.message}{advice}"].append(each.version)
    return [
        f"{first_of_counted(which, NAMED)} {'is' if len(which) == 1 else 'are'} {what}"
        for what, which in said.items()
    ]
