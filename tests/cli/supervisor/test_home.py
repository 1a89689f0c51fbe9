"""What somebody is told of a home that runs."""

import subprocess
from pathlib import Path

import pytest

from cli.supervisor.home import DEFAULT_HOME, Home

SETTINGS = """
registry.public_url = "https://127.0.0.1:1"
temporal.web_url = "http://127.0.0.1:2"
tls.ca_certificate = "{home}/tls/ca.pem"
"""


class TestInWords:
    def test_its_first_commands_run_in_a_fresh_shell(self, tmp_path: Path) -> None:
        home = Home(tmp_path / "a home")
        home.prepare()
        home.settings_file.write_text(SETTINGS.format(home=home.path))
        home.admin_key_file.write_text("no key")
        _, _, printed = home.in_words().partition("Try:\n")
        [path, login, *_] = printed.splitlines()
        fresh = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
        typed = f"{path}\n{login}"
        done = subprocess.run(["bash", "-c", typed], check=False, env=fresh, capture_output=True, text=True)
        # It ran, with the words as they were meant, as far as the key, which is none.
        assert "that is not a whole API key" in done.stderr

    def test_doctor_finds_the_default_home_by_itself_and_is_told_of_another(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HOME", str(tmp_path))
        for home, typed in (
            (Home(DEFAULT_HOME), "groundwork doctor"),
            (
                Home(tmp_path / "another"),
                f"GROUNDWORK_CONFIG_FILE={tmp_path}/another/groundwork.toml groundwork doctor",
            ),
        ):
            home.prepare()
            home.settings_file.write_text(SETTINGS.format(home=home.path))
            assert home.in_words().splitlines()[-1].strip() == typed
