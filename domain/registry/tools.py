"""Which tool sent a request, by its User-Agent: known tools with the version's first two numbers, else `other`.

A User-Agent is any text that a caller likes. What is stored of it is one of these words, so nobody fills a table
by thinking of more.
"""

import functools
import re
from typing import Final

OTHER: Final = "other"
BROWSER: Final = "browser"
LONGEST_USER_AGENT: Final = 256
"""Bytes that are looked at."""
KNOWN: Final = (
    "Terraform",
    "OpenTofu",
    "Terragrunt",
    "Renovate",
    "Dependabot",
    "Artifactory",
    "Nexus",
    "groundwork",
    "Go-http-client",
    "curl",
    "Wget",
    "python-requests",
    "python-httpx",
)
_SENT_AS: Final = {"renovatebot": "Renovate", "dependabot-core": "Dependabot"}
_SHOWN: Final = {tool.lower(): tool for tool in KNOWN} | _SENT_AS
_PRODUCT: Final = re.compile(
    r"(?<![\w.-])(" + "|".join(map(re.escape, _SHOWN)) + r")(?![\w.-])(?:/v?(\d{1,2})\.(\d{1,3})(?!\d))?",
    re.IGNORECASE | re.ASCII,
)


@functools.lru_cache(maxsize=1024)
def tool_of(user_agent: bytes) -> str:
    """Name the tool that sent a User-Agent: the first known one in it, wherever that stands.

    Args:
        user_agent: at most LONGEST_USER_AGENT bytes, since the last thousand are remembered.

    >>> tool_of(b"HashiCorp Terraform/1.11.4 (+https://www.terraform.io)")
    'Terraform/1.11'
    """
    sent = user_agent.decode("latin-1")
    found = _PRODUCT.search(sent)
    if found is None:
        return BROWSER if sent.startswith("Mozilla/") else OTHER
    tool, major, minor = found.groups()
    shown = _SHOWN[tool.lower()]
    return shown if major is None else f"{shown}/{int(major)}.{int(minor)}"
