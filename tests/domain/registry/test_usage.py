"""What a request for a download address was about."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.registry.usage import LONGEST_AGENT, Installed, UsageKind, installed_by, short_agent


class TestInstalledBy:
    @pytest.mark.parametrize(
        ("path", "installed"),
        [
            (
                "/v1/modules/acme/network/aws/1.0.0/download",
                Installed(UsageKind.MODULE, "acme", "network", "aws", "1.0.0"),
            ),
            (
                "/v1/providers/acme/time/1.0.0/download/linux/amd64",
                Installed(UsageKind.PROVIDER, "acme", "time", "", "1.0.0"),
            ),
            (
                "/v1/modules/acme/network/aws/v1.0/download",
                Installed(UsageKind.MODULE, "acme", "network", "aws", "1.0.0"),
            ),
            (
                "/v1/providers/acme/time/v1.0.0/download/linux/amd64",
                Installed(UsageKind.PROVIDER, "acme", "time", "", "1.0.0"),
            ),
            ("/v1/modules/acme/network/aws/versions", None),
            ("/v1/providers/acme/time/1.0.0/download/linux", None),
        ],
    )
    def test_is_told_by_the_path(self, path: str, installed: Installed | None) -> None:
        assert installed_by(path) == installed


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
