"""What commands read that people name: files, or `-` for standard input."""

import sys
from pathlib import Path
from urllib.parse import quote

from cli.client.errors import FileUnusable
from cli.client.file_errors import because


def read_text(file: Path, *, instead: str) -> str:
    """Read a text that a person named; `-` is standard input.

    Raises:
        FileUnusable: it can't be read, or is not text; says what is needed instead.
    """
    try:
        # As text, standard input would take what is no UTF-8 for surrogates where the locale is C.
        content = sys.stdin.buffer.read() if str(file) == "-" else file.expanduser().read_bytes()
        return content.decode()
    except OSError as error:
        raise FileUnusable(f"{file} can't be read {because(error)}") from error
    except UnicodeDecodeError:
        raise FileUnusable(f"{file} is not text: {instead}") from None


def segment(text: str) -> str:
    """Write what a person typed as one segment of a path, whatever is in it."""
    return quote(text, safe="")
