"""Values given to a module: JSON that PostgreSQL and both CLIs can hold."""

import math
import re
from typing import Annotated, Final

from pydantic import AfterValidator, JsonValue, StringConstraints

from domain.text import Spelled, Text, storable

DEEPEST: Final = 32
MOST_VALUES: Final = 10_000
IDENTIFIER: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,127}")


def _bounded(value: JsonValue) -> JsonValue:
    left = MOST_VALUES
    waiting: list[tuple[JsonValue, int]] = [(value, 1)]
    while waiting:
        part, depth = waiting.pop()
        left -= 1
        if left < 0:
            raise ValueError(f"has more than {MOST_VALUES} values")
        if depth > DEEPEST:
            raise ValueError(f"is nested more than {DEEPEST} deep")
        match part:
            case str():
                storable(part)
            case float() if not math.isfinite(part):
                raise ValueError("contains a number that JSON does not have")
            case list():
                waiting += [(item, depth + 1) for item in part]
            case dict():
                for key, item in part.items():
                    storable(key)
                    waiting.append((item, depth + 1))
            case _:
                pass
    return value


def _variable(name: str) -> str:
    if not IDENTIFIER.fullmatch(name):
        raise ValueError("is not the name of a variable")
    return name


JsonInput = Annotated[JsonValue, AfterValidator(_bounded)]
"""One value: any JSON within bounds."""

VariableName = Annotated[str, AfterValidator(_variable)]
"""A name that HCL takes for a variable."""

Inputs = dict[VariableName, JsonInput]
"""Values by variable."""

TierName = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?$"),
    Spelled("is written with a-z, 0-9, and - and _ between them, in at most 63 characters"),
]
"""Name of a tier, unique in its organization."""

ModuleSource = Annotated[
    str,
    StringConstraints(pattern=r"^[^/\s]{1,64}/[^/\s]{1,64}/[^/\s]{1,64}$", max_length=200),
    Spelled("is written namespace/name/system, each in at most 64 characters"),
]
"""A module of the registry: `<namespace>/<name>/<system>`."""

ModuleVersion = Annotated[Text, StringConstraints(min_length=1, max_length=255)]
"""One version of it, exactly."""
