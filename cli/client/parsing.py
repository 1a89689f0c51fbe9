"""Whether the tool of whoever publishes can read a module: a published version stays as it is."""

import contextlib
import os
import re
import subprocess
from pathlib import Path
from typing import Final

from domain.errors import ToolMissing
from integrations.tools import find_tool

PATIENCE: Final = 20.0
ERROR: Final = re.compile(r"^Error: (.+)\n\n  on (.+?) line (\d+)", re.MULTILINE)


def syntax_errors(directory: Path) -> list[str]:
    """Name the places of a folder that can't be read; none either where no tool is at hand to tell."""
    tool = _tool()
    if tool is None:
        return []
    # It only reads, and needs no providers: `validate` would want an `init`.
    command = (tool, "fmt", "-no-color", "-recursive", "-list=false", "-write=false", ".")
    try:
        done = subprocess.run(
            command,
            check=False,
            cwd=directory,
            env={**os.environ, "CHECKPOINT_DISABLE": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            timeout=PATIENCE,
        )
    except (OSError, subprocess.TimeoutExpired):
        return []
    return [f"{file}:{line}: {what}" for what, file, line in ERROR.findall(done.stderr)]


def _tool() -> Path | None:
    for name in ("terraform", "tofu"):
        with contextlib.suppress(ToolMissing):
            return find_tool(name)
    return None
