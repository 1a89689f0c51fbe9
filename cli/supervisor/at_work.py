"""What runs of an embedded installation are at work, for whoever is about to stop it."""

import asyncio
from pathlib import Path
from typing import Final

from pydantic import SecretStr, ValidationError

from cli.client.api import Api
from cli.client.finding import RUNS
from cli.client.profile import Profile
from cli.supervisor.home import Home
from domain.errors import PlatformError

PATIENCE: Final = 5.0
"""Seconds that a stop is put off for this at most."""
AT_WORK: Final = ("planning", "applying", "recovering")


async def deployments_at_work(home: Home) -> list[str]:
    """Name the deployments that runs work on, as far as the administrator's key may know.

    None where nobody answers: a stop is not held up by it.
    """
    try:
        async with asyncio.timeout(PATIENCE):
            return await asyncio.to_thread(_ask, home)
    except (PlatformError, OSError, KeyError, ValidationError, TimeoutError):
        return []


def _ask(home: Home) -> list[str]:
    facts = home.facts()
    key = SecretStr(home.admin_key_file.read_text().strip())
    with Api(Profile(url=facts["api"], key=key, ca=Path(facts["certificate authority"]))) as api:
        return sorted({run["deployment_name"] for state in AT_WORK for run in api.items(RUNS, state=state)})


def interrupted_in_words(names: list[str]) -> str:
    """Say what a stop means for runs that were at work, and how to go on."""
    return (
        f"it interrupted what was at work on {', '.join(names)}: what was made is kept. After the next start, "
        "`groundwork run status NAME` says how it ended, and `groundwork run submit --name NAME` makes the rest"
    )
