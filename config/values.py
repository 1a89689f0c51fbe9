"""Kinds of values that settings have: read strictly, refused with a sentence that never shows the value."""

import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import unquote, urlsplit

from pydantic import AfterValidator, BeforeValidator, SecretStr

UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")
# The tools refuse a label with dashes in third and fourth place (so all of punycode), and write a port without
# zeros in front, and 443 not at all: lock files would not have the name as it is configured.
_LABEL: Final = r"(?!-)(?!..--)[a-z0-9-]{1,63}(?<!-)"
HOSTNAME: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})+(?::(?!443$)([1-9]\d{{0,4}}))?", re.ASCII)
LONGEST_HOSTNAME: Final = 253
LARGEST_PORT: Final = 65_535
DRIVER: Final = "postgresql+psycopg"


def _duration(value: object) -> object:
    """Read `45m`, `1h30m` or `0.2s`; a bare number is seconds."""
    if not isinstance(value, str):
        return value
    parts = DURATION.findall(value)
    if not parts or "".join(number + unit for number, unit in parts) != value:
        raise ValueError("is a duration like 45m, 30s or 1h30m")
    return timedelta(seconds=sum(float(number) * UNITS[unit] for number, unit in parts))


def _hostname(value: str) -> str:
    match = HOSTNAME.fullmatch(value)
    if match is None or len(value) > LONGEST_HOSTNAME or int(match[1] or 0) > LARGEST_PORT:
        raise ValueError(
            "is a host name in lower case with a dot in it, and no part of it with `--` behind two characters,"
            " which no tool takes; a port other than 443 may follow"
        )
    return value


def _postgres_url(value: SecretStr) -> SecretStr:
    url = value.get_secret_value()
    scheme, separator, rest = url.partition("://")
    if scheme not in {"postgres", "postgresql", DRIVER} or not separator:
        raise ValueError("is an address like postgresql://role:password@host:5432/database")
    return SecretStr(f"{DRIVER}://{rest}")


Duration = Annotated[timedelta, BeforeValidator(_duration)]
Hostname = Annotated[str, AfterValidator(_hostname)]
PostgresUrl = Annotated[SecretStr, AfterValidator(_postgres_url)]


def password_of(url: SecretStr) -> str | None:
    """Give the password in an address; None when there is none."""
    password = urlsplit(url.get_secret_value()).password
    return None if password is None else unquote(password)


def read_secret_files(given: Any, secrets: set[str]) -> Any:  # noqa: ANN401  what was written, of whatever type
    """Replace each `<secret>_file` by what the file holds, without the newline at its end."""
    if not isinstance(given, Mapping):
        return given
    read = dict(given)
    for name in secrets & {key.removesuffix("_file") for key in read if key.endswith("_file")}:
        if name in read:
            raise ValueError(f"{name} and {name}_file are both given; keep one")
        path = Path(read.pop(f"{name}_file"))
        try:
            read[name] = path.read_text().rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "is not text"
            raise ValueError(f"{name}_file: {path} can't be read ({reason})") from error
    return read
