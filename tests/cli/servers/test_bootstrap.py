"""`groundwork bootstrap` against a database of its own."""

from pathlib import Path

import pytest

from cli.main import run
from config.secrets import make_key_file
from domain.identity.keys import read_token
from integrations.embedded.postgresql import OWNER, PostgreSQL
from storage.migrations.upgrade import upgrade

pytestmark = pytest.mark.servers
NAME = "bootstrap"  # it goes with its server


@pytest.fixture
def installation(
    postgresql: PostgreSQL, empty_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Migrate a fresh database, and point the settings at it."""
    upgrade(postgresql.url(OWNER, empty_database))
    for key in ("key_encryption_key", "pepper", "signing_key"):
        make_key_file(tmp_path / key)
        monkeypatch.setenv(f"GROUNDWORK_SECRETS__{key.upper()}_FILE", str(tmp_path / key))
    for role in ("app", "platform"):
        url = postgresql.url(f"groundwork_{role}", empty_database)
        monkeypatch.setenv(f"GROUNDWORK_DATABASE__{role.upper()}_URL", url)
    monkeypatch.setenv("GROUNDWORK_REGISTRY__HOSTNAME", "registry.groundwork.test")
    monkeypatch.setenv("GROUNDWORK_REGISTRY__PUBLIC_URL", "https://registry.groundwork.test")
    monkeypatch.setenv("GROUNDWORK_BLOBS__PATH", str(tmp_path / "blobs"))


class TestBootstrap:
    @pytest.mark.usefixtures("installation")
    def test_the_first_administrators_key_is_printed_once(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert run(["bootstrap", "you@example.com"]) == 0
        printed = capsys.readouterr()
        assert read_token(printed.out.strip()) is not None
        assert printed.out.strip() not in printed.err

        assert run(["bootstrap", "you@example.com"]) == 1
        again = capsys.readouterr()
        assert again.out == ""
        assert "has its operators already" in again.err
