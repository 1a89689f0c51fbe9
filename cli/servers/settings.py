"""`groundwork settings`: what is set, and what can be."""

from typing import Annotated

from cyclopts import Parameter

from cli.output import PEOPLE, Output
from config.loading import load_settings
from config.reference import reference


def settings(
    *,
    markdown: Annotated[bool, Parameter(negative="", help="Print the reference of all settings.")] = False,
    output: Output = PEOPLE,
) -> None:
    """Print the settings that servers here would use, secrets hidden; or say what is wrong with them.

    Examples:
      groundwork settings
      groundwork settings --markdown > docs/reference/settings.md
    """
    if markdown:
        print(reference(), end="")
        return
    read = load_settings().model_dump(mode="json")
    output.result(read, lambda: "\n".join(_lines(read)))


def _lines(read: dict[str, object], above: str = "") -> list[str]:
    lines: list[str] = []
    for name, value in read.items():
        if isinstance(value, dict):
            lines += _lines(value, f"{above}{name}.")
        else:
            lines.append(f"{above}{name} = {value}")
    return lines
