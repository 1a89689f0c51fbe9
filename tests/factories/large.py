"""Bodies that are too large to be anywhere in one piece."""

import zipfile
from collections.abc import Iterable, Iterator
from typing import BinaryIO, Final, cast

MEGABYTE: Final = 1024 * 1024
BOUNDARY: Final = "between-the-parts"
FORM: Final = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
_ZEROS: Final = bytes(MEGABYTE)


class _Pieces:
    """What a zip is written to."""

    def __init__(self) -> None:
        self.written: list[bytes] = []

    def write(self, data: bytes) -> int:
        self.written.append(data)
        return len(data)

    def flush(self) -> None:
        """Do nothing: it is all there already."""


def a_large_package(megabytes: int, *, type: str = "time", version: str = "0.1.0") -> list[bytes]:
    """Pack a provider of so many megabytes as it is, in pieces that take one megabyte of memory together."""
    pieces = _Pieces()
    with zipfile.ZipFile(cast("BinaryIO", pieces), "w", zipfile.ZIP_STORED) as archive:
        info = zipfile.ZipInfo(f"terraform-provider-{type}_v{version}")
        info.external_attr = 0o100755 << 16
        with archive.open(info, "w") as member:
            for _ in range(megabytes):
                member.write(_ZEROS)
    return pieces.written


def a_form(files: Iterable[tuple[str, Iterable[bytes]]]) -> Iterator[bytes]:
    """Write the body of a form with so many files, each in its pieces; see FORM."""
    for name, pieces in files:
        disposition = f'form-data; name="file"; filename="{name}"'
        yield f"--{BOUNDARY}\r\nContent-Disposition: {disposition}\r\n\r\n".encode()
        yield from pieces
        yield b"\r\n"
    yield f"--{BOUNDARY}--\r\n".encode()
