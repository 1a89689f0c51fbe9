"""`groundwork bootstrap` against a database of its own."""

import asyncio
import errno
import io
import os
from pathlib import Path

import pytest

from cli.main import run
from config.loading import load_settings
from config.secrets import make_key_file
from domain.identity.keys import read_token
from domain.identity.permissions import Permission
from integrations.embedded.postgresql import OWNER, PostgreSQL
from services.identity.all import make_identity
from services.identity.hashing import KeyHasher
from storage.migrations.upgrade import upgrade
from workers.composition import open_database

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
    # Nobody can make these: where `compose run` runs it, the root is read-only and nothing is mounted.
    monkeypatch.setenv("GROUNDWORK_BLOBS__PATH", "/proc/blobs")
    monkeypatch.setenv("GROUNDWORK_RUNNER__WORK_PATH", "/proc/runs")


class OnAFullDisk(io.StringIO):
    def flush(self) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


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

    @pytest.mark.usefixtures("installation")
    def test_a_key_that_could_not_be_printed_is_none(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with monkeypatch.context() as patch:
            patch.setattr("sys.stdout", OnAFullDisk())
            assert run(["bootstrap", "you@example.com"]) == 1
        assert "No space left on device" in capsys.readouterr().err
        assert run(["bootstrap", "you@example.com"]) == 0

    @pytest.mark.usefixtures("installation")
    @pytest.mark.parametrize("email", ["you@example.com", "another@example.com"])
    def test_again_makes_another_administrator_who_may_do_the_same(
        self, capsys: pytest.CaptureFixture[str], email: str
    ) -> None:
        keys = []
        for arguments in (["you@example.com"], [email, "--again"]):
            assert run(["bootstrap", *arguments]) == 0
            keys.append(capsys.readouterr().out.strip())
        first, second = asyncio.run(rights_of(keys))
        assert first == second == frozenset(Permission)

    @pytest.mark.usefixtures("installation")
    def test_again_is_told_where_there_is_no_such_organization(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert run(["bootstrap", "you@example.com", "--again", "--organization", "acme"]) == 1
        assert capsys.readouterr().err == "groundwork: there is no organization acme\n"

    def test_an_organization_without_again_is_refused(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert run(["bootstrap", "you@example.com", "--organization", "acme"]) == 1
        assert "goes with --again" in capsys.readouterr().err


async def rights_of(keys: list[str]) -> list[frozenset[Permission]]:
    database = open_database(load_settings())
    try:
        authentication = make_identity(database, KeyHasher(), pepper=b"pepper").authentication
        return [(await authentication.authenticate(key)).rights.everywhere for key in keys]
    finally:
        await database.close()
