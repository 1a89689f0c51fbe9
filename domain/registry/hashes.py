"""The hashes of lock files: `zh:` of a package as it is sent, `h1:` of what is in it."""

import base64
import hashlib
from collections.abc import Mapping


def zh(sha256: str) -> str:
    """Give the lock file's form of a package's own sha256."""
    return f"zh:{sha256}"


def h1(files: Mapping[str, str]) -> str:
    """Give Go's `dirhash.Hash1` of files, each name with the sha256 of its content.

    Folders do not count: the tools hash a package after unpacking it, and there a folder is no file.

    Raises:
        ValueError: a name has a line feed, for which the hash is not defined.
    """
    if any("\n" in name for name in files):
        raise ValueError("a file name with a line feed has no h1 hash")
    # Go sorts strings by their bytes.
    lines = (f"{files[name]}  {name}\n".encode() for name in sorted(files, key=str.encode))
    summary = hashlib.sha256(b"".join(lines)).digest()
    return f"h1:{base64.b64encode(summary).decode()}"
