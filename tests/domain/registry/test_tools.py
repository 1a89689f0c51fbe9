"""What is kept of a User-Agent."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.registry.tools import BROWSER, KNOWN, LONGEST_USER_AGENT, OTHER, tool_of


class TestToolOf:
    @pytest.mark.parametrize(
        ("sent", "tool"),
        [
            (b"Terraform/1.11.4 (+https://www.terraform.io)", "Terraform/1.11"),
            (b"HashiCorp Terraform/1.5.7 (+https://www.terraform.io) Artifactory/7.90.1", "Terraform/1.5"),
            (b"OpenTofu/1.12.0-beta2", "OpenTofu/1.12"),
            (b"opentofu/v01.010", "OpenTofu/1.10"),
            (b"RenovateBot/39.1.0 (https://github.com/renovatebot/renovate)", "Renovate/39.1"),
            (b"dependabot-core/0.296.0 excon/1.2.2 ruby/3.3.7", "Dependabot/0.296"),
            (b"Go-http-client/2.0", "Go-http-client/2.0"),
            (b"groundwork/0.1.0", "groundwork/0.1"),
            (b"curl", "curl"),
            (b"Terraform/123.4", "Terraform"),
            (b"Terraform/1.1234", "Terraform"),
            (b"Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0", "browser"),
            (b"my-terraform/1.5", "other"),
            (b"curling/1.5", "other"),
            (b"", "other"),
            ("schl\xfcssel".encode("latin-1"), "other"),
        ],
    )
    def test_names_a_known_tool(self, sent: bytes, tool: str) -> None:
        assert tool_of(sent) == tool

    @given(st.binary(max_size=LONGEST_USER_AGENT) | st.from_regex(rb"(Terraform|curl)/[0-9.v]*", fullmatch=True))
    def test_is_one_of_few_words(self, sent: bytes) -> None:
        tool, _, version = tool_of(sent).partition("/")
        assert tool in {*KNOWN, BROWSER, OTHER}
        assert re.fullmatch(r"|[0-9]{1,2}\.[0-9]{1,3}", version)
