"""SHA256SUMS, read exactly as the command line tools read it, and refused where they would trip.

A blank line crashes them, a starred name is a name they do not find, and the bytes are what was signed, so
nothing is repaired: the file is right or it is refused.
"""

import re
from typing import Final

from domain.registry.errors import ChecksumsInvalid

LARGEST: Final = 64 * 1024
_LINE: Final = re.compile(r"([0-9a-f]{64})  ([A-Za-z0-9][A-Za-z0-9._-]{0,254})", re.ASCII)
_HASH_UPPER: Final = re.compile(r"[0-9A-Fa-f]{64}", re.ASCII)


def parse_checksums(content: bytes) -> dict[str, str]:
    """Read the file: each name with its sha256 in lower-case hexadecimal digits.

    Raises:
        ChecksumsInvalid: empty, larger than 64 KB, not ASCII, or a line is not hash, two spaces, plain file name;
            with the number of the line and what is wrong in it.
    """
    if not content:
        raise ChecksumsInvalid("SHA256SUMS is empty; make it with `sha256sum *.zip`")
    if len(content) > LARGEST:
        raise ChecksumsInvalid(f"SHA256SUMS is larger than {LARGEST} bytes; name this release's files alone")
    try:
        text = content.decode("ascii")
    except UnicodeDecodeError:
        raise ChecksumsInvalid("SHA256SUMS holds bytes that are not ASCII; write names in ASCII") from None
    if not text.endswith("\n"):
        raise ChecksumsInvalid("the last line of SHA256SUMS does not end with a line feed; add it")
    hashes: dict[str, str] = {}
    for number, line in enumerate(text[:-1].split("\n"), start=1):
        match = _LINE.fullmatch(line)
        if match is None:
            raise ChecksumsInvalid(f"SHA256SUMS, line {number}: {_what_is_wrong(line)}", line=number)
        digest, name = match.groups()
        if name in hashes:
            raise ChecksumsInvalid(
                f"SHA256SUMS, line {number}: this file has a line already; name each once", line=number
            )
        hashes[name] = digest
    return hashes


def _what_is_wrong(line: str) -> str:
    if not line.strip():
        return "the line is blank, which crashes terraform; remove it"
    if "\r" in line:
        return "line ends are CR LF; write them as LF"
    digest, _, rest = line.partition(" ")
    if rest.startswith("*"):
        return "the name is starred (`sha256sum -b`); use two spaces and no star"
    if "/" in rest or "\\" in rest:
        return "the name has a path; name the file alone"
    if _HASH_UPPER.fullmatch(digest) and digest != digest.lower():
        return "the hash is in upper case; write it in lower case"
    return "the line is not a sha256, two spaces and a file name, as `sha256sum` writes it"
