"""OpenPGP data before anything parses it: which packets are there, told by their headers alone.

Parsers unpack what they find: six hundred bytes of compressed packets become hundreds of megabytes in one. So what
has packets of the right kinds, and few enough, is decided here first, without looking into any.
"""

from base64 import b64decode
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

PACKET_BIT: Final = 0x80
"""Every packet begins with it, and no ASCII does."""
_NEW_FORMAT: Final = 0x40
_WITHOUT_LENGTH: Final = 3
# Values of the first octet of a new format's length, from which on something else holds.
_TWO_OCTETS: Final = 192
_PARTIAL: Final = 224
_FIVE_OCTETS: Final = 255
_CHECKSUM: Final = 5  # characters, an equals sign in front of four of base64


@dataclass(frozen=True, slots=True)
class PacketHeader:
    """What stands in front of a packet: its tag (RFC 9580, 5), and how many bytes follow."""

    tag: int
    size: int


def read_headers(data: bytes) -> Iterator[PacketHeader]:
    """Walk over packets from header to header (RFC 9580, 4.2).

    Raises:
        ValueError: these are no packets up to the last byte, or one does not say its whole length in its header,
            which only those may that carry messages.
    """
    at = 0
    while at < len(data):
        tag, begin, size = _read_header(data, at)
        at = begin + size
        if max(begin, at) > len(data):  # of a length that is cut off, the size says nothing
            raise ValueError("a packet is cut off")
        yield PacketHeader(tag, size)


def _read_header(data: bytes, at: int) -> tuple[int, int, int]:
    """Give a packet's tag, where its body begins, and the body's size."""
    first = data[at]
    if not first & PACKET_BIT:
        raise ValueError("no packet begins here")
    if not first & _NEW_FORMAT:
        if first & 3 == _WITHOUT_LENGTH:
            raise ValueError("a packet does not say where it ends")
        body = at + 1 + (1 << (first & 3))
        return (first >> 2) & 0xF, body, int.from_bytes(data[at + 1 : body])
    if at + 1 == len(data):
        raise ValueError("a packet is cut off")
    tag, length = first & 0x3F, data[at + 1]
    if length < _TWO_OCTETS:
        return tag, at + 2, length
    if length < _PARTIAL:
        return tag, at + 3, int.from_bytes(data[at + 1 : at + 3]) - (_TWO_OCTETS << 8) + _TWO_OCTETS
    if length == _FIVE_OCTETS:
        return tag, at + 6, int.from_bytes(data[at + 2 : at + 6])
    raise ValueError("a packet does not say where it ends")


def read_armor(armored: str, label: str) -> bytes:
    """Unwrap one block of ASCII armor (RFC 9580, 6.2); its checksum, which protects nothing, is passed over.

    Raises:
        ValueError: it is not exactly one block with this label.
    """
    lines = [line.strip() for line in armored.strip().splitlines()]
    if [*lines[:1], *lines[-1:]] != [f"-----BEGIN {label}-----", f"-----END {label}-----"] or "" not in lines:
        raise ValueError("this is not one block of armor")
    body = lines[lines.index("") + 1 : -1]
    if body and len(body[-1]) == _CHECKSUM and body[-1].startswith("="):
        body.pop()
    return b64decode("".join(body), validate=True)
