"""OpenPGP packets by their headers: what is found is what Sequoia finds, and nothing is unpacked for it."""

import re

import pysequoia
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pysequoia.packet import PacketPile

from integrations.packets import PacketHeader, read_armor, read_headers
from tests.fixtures.packets import packet

LABEL = "PGP PUBLIC KEY BLOCK"
USER_ID = 13
BODIES = st.integers(0, 300) | st.sampled_from([191, 192, 8383, 8384, 65535, 65536])


def old_packet(tag: int, body: bytes, octets: int) -> bytes:
    return bytes([0x80 | tag << 2 | (1, 2, 4).index(octets)]) + len(body).to_bytes(octets) + body


class TestReadHeaders:
    @given(st.lists(st.tuples(st.booleans(), BODIES), max_size=5))
    def test_gives_each_packet_of_either_form_as_sequoia_does(self, made: list[tuple[bool, int]]) -> None:
        # Sequoia takes data that begins with a large user id for armor.
        data = packet(USER_ID, b"first") + b"".join(
            packet(USER_ID, b"x" * size) if new else old_packet(USER_ID, b"x" * size, 4 if size >= 1 << 16 else 2)
            for new, size in made
        )
        parsed = PacketPile.from_bytes(data)
        assert list(read_headers(data)) == [PacketHeader(int(each.tag), len(each.body)) for each in parsed]

    @given(st.binary(max_size=40))
    def test_of_other_bytes_says_no_more_than_that(self, data: bytes) -> None:
        try:
            headers = list(read_headers(data))
        except ValueError:
            return
        assert sum(header.size for header in headers) < len(data) or not data

    @pytest.mark.parametrize(
        "data",
        [
            b"a text",
            b"\xcd",  # no length
            b"\xcd\xc0",  # half of one
            b"\xcd\xff\0\0",
            b"\xcd\x02x",  # half of a body
            b"\xb4\x02x",
            b"\xcd\xe0x",  # a length of the next part alone
            b"\xb7x",  # a length that only the end of the file tells
        ],
    )
    def test_refuses_what_does_not_say_where_it_ends(self, data: bytes) -> None:
        with pytest.raises(ValueError, match="packet"):
            list(read_headers(data))


class TestReadArmor:
    @given(st.binary(min_size=1, max_size=200), st.sampled_from(["\n", "\r\n"]), st.booleans())
    def test_gives_back_what_was_wrapped(self, data: bytes, end: str, checked: bool) -> None:
        armored = pysequoia.armor(data, pysequoia.ArmorKind.PublicKey)
        if not checked:
            armored = re.sub(r"\n=[^\n]{4}\n", "\n", armored)
        assert read_armor(f"\n{armored}".replace("\n", end), LABEL) == data

    def test_passes_over_what_a_program_says_of_itself(self) -> None:
        armored = f"-----BEGIN {LABEL}-----\nVersion: GnuPG v1\n \nYWJj\n-----END {LABEL}-----"
        assert read_armor(armored, LABEL) == b"abc"

    @pytest.mark.parametrize(
        "armored",
        [
            "",
            f"-----BEGIN {LABEL}-----",
            f"-----BEGIN {LABEL}-----\nYWJj\n-----END {LABEL}-----",
            f"-----BEGIN {LABEL}-----\n\nYWJ\n-----END {LABEL}-----",
            f"-----BEGIN {LABEL}-----\n\nYW!j\n-----END {LABEL}-----",
            f"-----BEGIN {LABEL}-----\n\nYWJj\n-----END PGP SIGNATURE-----",
            f"-----BEGIN {LABEL}-----\n\nYWJj\n-----END {LABEL}-----\nand more",
            f"-----BEGIN {LABEL}-----\n\nYWJj\n-----END {LABEL}-----\n" * 2,
        ],
    )
    def test_refuses_what_is_not_one_block(self, armored: str) -> None:
        with pytest.raises(ValueError, match=r"armor|base64|padding|Only|Invalid|Incorrect"):
            read_armor(armored, LABEL)
