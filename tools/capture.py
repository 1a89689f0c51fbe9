"""Pictures of a terminal for the documents: `python -m tools.capture PICTURE.svg TITLE FIRST LAST COMMAND ...`.

Runs the command at a terminal of its own, shows what it prints, and draws the lines from the one that begins with
FIRST to before the one that begins with LAST, as an SVG that loads nothing from elsewhere. The exit status is the
command's. docs/images/demo.svg: `... docs/images/demo.svg "make demo" "[6/9]" "[7/9]" make demo`.
"""

import itertools
import os
import pty
import re
import sys
from io import StringIO
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

COLUMNS: Final = 140
FONT_FACE: Final = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)


def main(picture: Path, title: str, first: str, last: str, command: list[str]) -> int:
    """Run and capture."""
    printed = bytearray()

    def read(descriptor: int) -> bytes:
        piece = os.read(descriptor, 65536)
        printed.extend(piece)
        return piece

    os.environ["COLUMNS"] = str(COLUMNS)
    status = os.waitstatus_to_exitcode(pty.spawn(command, read))
    lines = [Text.from_ansi(line) for line in shown(printed.decode(errors="replace"))]
    begun = itertools.dropwhile(lambda line: not line.plain.startswith(first), lines)
    picture.write_text(
        drawn(list(itertools.takewhile(lambda line: not line.plain.startswith(last), begun)), title)
    )
    return status


def shown(printed: str) -> list[str]:
    """Give the lines that a terminal shows in the end: of one that was rewritten, what it became."""
    return [line.rstrip("\r").rpartition("\r")[2] for line in printed.split("\n")]


def drawn(lines: list[Text], title: str) -> str:
    """Draw lines as a terminal would show them."""
    console = Console(record=True, width=COLUMNS, file=StringIO(), force_terminal=True)
    for line in lines:
        console.print(line)
    svg = console.export_svg(title=title, theme=MONOKAI)
    return FONT_FACE.sub("", svg).replace("Fira Code, monospace", "monospace")


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4], sys.argv[5:]))
