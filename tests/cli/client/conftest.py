"""What the tests of the client's commands share."""

from pathlib import Path

import pytest

from tests.cli.client.commands import Commands
from tests.factories.organizations import Caller
from tests.fixtures.https import HttpsServer


@pytest.fixture
def commands(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Commands:
    """Give the commands of somebody who has not logged in."""
    made = Commands(capsys, monkeypatch)
    made.environment(
        XDG_CONFIG_HOME=tmp_path / "config", GROUNDWORK_URL=None, GROUNDWORK_KEY=None, GROUNDWORK_CA=None
    )
    return made


@pytest.fixture
def administrator(commands: Commands, https: HttpsServer, caller: Caller) -> Commands:
    """Give the commands of an organization's administrator."""
    commands.environment(GROUNDWORK_URL=https.url, GROUNDWORK_KEY=caller.key, GROUNDWORK_CA=https.ca)
    return commands
