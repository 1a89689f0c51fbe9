"""Values for a module's variables, as people give them on a command line."""

import getpass
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from pydantic import JsonValue

from cli.client.errors import FileUnusable
from cli.client.files import read_text
from cli.errors import usage

FROM_ENVIRONMENT: Final = "TF_VAR_"
JSON_NEEDED: Final = 'write a JSON object of values by variable, as in {"size": 3}'
BEGINS_JSON: Final = ("[", "{", '"')


def read_inputs(file: Path | None, pairs: Sequence[str]) -> dict[str, JsonValue] | None:
    """Put together a JSON file of values and `name=value` pairs, which win; None where neither was given.

    Raises:
        FileUnusable: the file is no JSON object.
        CycloptsError: a pair has no `=`, or what begins like JSON is none.
    """
    if file is None and not pairs:
        return None
    given: dict[str, JsonValue] = {} if file is None else _object(file)
    for pair in pairs:
        name, value = split_pair(pair, "--input")
        given[name] = read_value(name, value)
    return given


def read_secrets(names: Sequence[str]) -> dict[str, JsonValue] | None:
    """Get secret values from where no other user sees them: TF_VAR_<name>, a prompt, or lines of standard input.

    Raises:
        CycloptsError: there is no value for one of them.
    """
    secrets: dict[str, JsonValue] = {}
    for name in names:
        if "=" in name:
            raise usage(
                f"--secret-input takes a name alone, since other users see arguments: set {FROM_ENVIRONMENT}NAME, "
                "or give the value on standard input"
            )
        value = os.environ.get(f"{FROM_ENVIRONMENT}{name}")
        if value is None:
            value = getpass.getpass(f"{name}: ") if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")
        if not value:
            raise usage(
                f"there is no value for {name}: set {FROM_ENVIRONMENT}{name}, or write it to standard input"
            )
        secrets[name] = read_value(name, value)
    return secrets or None


def read_value(name: str, value: str) -> JsonValue:
    """Read one value: text, which the tools turn into numbers and booleans, or JSON where it begins like it.

    Raises:
        CycloptsError: it begins like JSON and is none; the value is not repeated, for it may be a secret.
    """
    if not value.startswith(BEGINS_JSON):
        return value
    try:
        read: JsonValue = json.loads(value)
    except ValueError as error:
        raise usage(
            f"{name} begins like JSON and is none ({error}); text that begins so is written in quotes"
        ) from None
    return read


def split_pair(pair: str, option: str) -> tuple[str, str]:
    """Split `name=value`.

    Raises:
        CycloptsError: there is no `=` in it, or nothing before it.
    """
    name, separator, value = pair.partition("=")
    if not name or not separator:
        raise usage(f"{option} is written name=value")
    return name, value


def _object(file: Path) -> dict[str, JsonValue]:
    try:
        document = json.loads(read_text(file, instead=JSON_NEEDED))
    except ValueError as error:
        raise FileUnusable(f"{file} is not JSON ({error}): {JSON_NEEDED}") from None
    if not isinstance(document, dict):
        raise FileUnusable(f"{file} is no object: {JSON_NEEDED}")
    return document
