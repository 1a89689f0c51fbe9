"""How API keys are written."""

from hypothesis import given
from hypothesis import strategies as st

from domain.identity.keys import ALPHABET, KeyKind, new_token, read_token


class TestReadToken:
    @given(st.sampled_from(KeyKind))
    def test_reads_what_was_made(self, kind: KeyKind) -> None:
        made = new_token(kind)
        assert read_token(made.text) == made

    @given(st.integers(0, 65), st.sampled_from(ALPHABET))
    def test_refuses_any_key_with_a_character_changed(self, place: int, character: str) -> None:
        text = new_token(KeyKind.PERSONAL).text
        place %= len(text)
        changed = text[:place] + character + text[place + 1 :]
        assert (read_token(changed) is None) == (changed != text)

    @given(st.text())
    def test_refuses_anything_else_without_raising(self, text: str) -> None:
        assert read_token(text) is None

    def test_does_not_show_the_key_when_printed(self) -> None:
        token = new_token(KeyKind.SERVICE)
        assert token.text not in repr(token)
        assert token.kid in repr(token)
