"""Why the operating system would not do something with a file, in words for people."""

import errno
from typing import Final

_WRONG_PATH: Final = "is the path right?"
_STEPS: Final = {
    errno.ENOENT: _WRONG_PATH,
    errno.ENOTDIR: _WRONG_PATH,
    errno.ENAMETOOLONG: _WRONG_PATH,
    errno.EISDIR: "name a file in it",
    errno.EACCES: "ask its owner for the right to it (`ls -ld` names the owner)",
    errno.EPERM: "ask its owner for the right to it (`ls -ld` names the owner)",
    errno.EROFS: "choose a place that can be written to",
    errno.ENOSPC: "make room there",
}


def because(error: OSError) -> str:
    """Say why the operating system would not do something with a file, and what to do about it."""
    why = f"({error.strerror or error})"
    step = _STEPS.get(error.errno or 0)
    return why if step is None else f"{why}: {step}"
