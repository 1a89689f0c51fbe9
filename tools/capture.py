"""Pictures of a terminal for the documents: `python -m tools.capture PICTURE.svg TITLE COMMAND ...`.

Runs the command at a terminal of its own, shows what it prints, and writes that as an SVG that loads nothing from
elsewhere. The exit status is the command's.
"""

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

COLUMNS: Final = 110
FONT_FACE: Final = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)


def main(picture: Path, title: str, command: list[str]) -> int:
    """Run and capture."""
    printed = bytearray()

    def read(descriptor: int) -> bytes:
        piece = os.read(descriptor, 65536)
        printed.extend(piece)
        return piece

    os.environ["COLUMNS"] = str(COLUMNS)
    status = os.waitstatus_to_exitcode(pty.spawn(command, read))
    picture.write_text(drawn(printed.decode(errors="replace"), title))
    return status


def drawn(printed: str, title: str) -> str:
    """Draw what a terminal shows in the end: of a line that was rewritten, what it became."""
    lines = (line.rstrip("\r").rpartition("\r")[2] for line in printed.split("\n"))
    console = Console(record=True, width=COLUMNS, file=StringIO(), force_terminal=True)
    for line in lines:
        console.print(Text.from_ansi(line), soft_wrap=False)
    svg = console.export_svg(title=title, theme=MONOKAI)
    return FONT_FACE.sub("", svg).replace("Fira Code, monospace", "monospace")


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2], sys.argv[3:]))
