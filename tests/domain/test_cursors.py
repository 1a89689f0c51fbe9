"""Cursors of lists."""

import base64
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.cursors import CursorSigner
from domain.errors import CursorInvalid
from domain.ids import new_id

SIGNER = CursorSigner(b"k" * 32)


class TestRead:
    @given(st.uuids(), st.text(), st.dictionaries(st.text(), st.text()))
    def test_gives_what_was_signed(self, after: UUID, listing: str, filters: dict[str, object]) -> None:
        assert SIGNER.read(listing, filters, SIGNER.sign(listing, filters, after)) == after

    @given(st.text())
    def test_refuses_what_was_not_signed(self, text: str) -> None:
        with pytest.raises(CursorInvalid):
            SIGNER.read("runs", {}, text)

    @given(st.integers(0, 31), st.integers(1, 255))
    def test_refuses_any_changed_byte(self, place: int, change: int) -> None:
        raw = bytearray(base64.urlsafe_b64decode(SIGNER.sign("runs", {}, new_id()) + "="))
        raw[place] ^= change
        with pytest.raises(CursorInvalid):
            SIGNER.read("runs", {}, base64.urlsafe_b64encode(raw).decode().rstrip("="))

    def test_gives_what_the_key_before_signed(self) -> None:
        after = new_id()
        changed = CursorSigner(b"j" * 32, b"k" * 32)
        assert changed.read("runs", {}, SIGNER.sign("runs", {}, after)) == after
        with pytest.raises(CursorInvalid):
            SIGNER.read("runs", {}, changed.sign("runs", {}, after))

    def test_refuses_another_list_other_filters_and_another_installation(self) -> None:
        cursor = SIGNER.sign("runs", {"state": "applied"}, new_id())
        for signer, listing, filters in (
            (SIGNER, "deployments", {"state": "applied"}),
            (SIGNER, "runs", {"state": "failed"}),
            (CursorSigner(b"j" * 32), "runs", {"state": "applied"}),
        ):
            with pytest.raises(CursorInvalid):
                signer.read(listing, dict(filters), cursor)
