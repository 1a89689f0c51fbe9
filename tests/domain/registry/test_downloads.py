"""What is kept of a User-Agent."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.registry.downloads import LONGEST_AGENT, short_agent


class TestShortAgent:
    @pytest.mark.parametrize(
        ("sent", "shown"),
        [
            (b"Terraform/1.11.4 (+https://www.terraform.io)", "Terraform/1.11.4"),
            (b"", "other"),
            (b"  \t ", "other"),
            ("schl\xfcssel".encode("latin-1"), "other"),
        ],
    )
    def test_names_the_tool(self, sent: bytes, shown: str) -> None:
        assert short_agent(sent) == shown

    @given(st.binary(max_size=300))
    def test_is_a_short_word_that_every_terminal_can_show(self, sent: bytes) -> None:
        shown = short_agent(sent)
        assert shown.isascii()
        assert shown.isprintable()
        assert 0 < len(shown) <= LONGEST_AGENT
