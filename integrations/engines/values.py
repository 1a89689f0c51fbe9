"""How input values are written for the CLI."""

import json
import re
from typing import Final

from pydantic import JsonValue

_PLAIN_ESCAPES: Final = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_ESCAPED: Final = re.compile(r'["\\\x00-\x1f\x7f]|[$%](?=\{)')


def as_variable(value: JsonValue) -> str:
    """Write a value for a TF_VAR_ variable: texts as they are, everything else as an expression.

    The CLI takes the text of a variable literally if its type is string, number, bool or not given, and as an
    expression otherwise. So a text for a variable of type `any` has to be given in a tfvars file instead.
    """
    return value if isinstance(value, str) else as_expression(value)


def as_expression(value: JsonValue) -> str:
    """Write a value as an HCL expression in one line; nothing in it is a template or a reference."""
    match value:
        case str():
            return f'"{_ESCAPED.sub(_escape, value)}"'
        case list():
            return "[" + ", ".join(map(as_expression, value)) + "]"
        case dict():
            pairs = (f"{as_expression(key)} = {as_expression(item)}" for key, item in value.items())
            return "{" + ", ".join(pairs) + "}"
        case _:
            return json.dumps(value, allow_nan=False)


def _escape(found: re.Match[str]) -> str:
    character = found[0]
    if character in "$%":
        return character * 2  # the beginning of a template
    return _PLAIN_ESCAPES.get(character) or f"\\u{ord(character):04x}"
