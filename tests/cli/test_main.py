"""The command line itself: help, exit codes, one line per error, and nothing imported that is not used."""

import json
import subprocess
import sys
from collections.abc import Iterator

import pytest
from cyclopts import App

from cli.main import COMMANDS, app, run

HEAVY = ("sqlalchemy", "temporalio", "fastapi", "pydantic", "httpx2", "asyncio", "alembic")


def every_command(of: App, *words: str) -> Iterator[list[str]]:
    for name in of:
        if not name.startswith("-"):
            yield [*words, name]
            yield from every_command(of[name], *words, name)


class TestHelp:
    def test_it_lists_every_command(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert run(["--help"]) == 0
        said = capsys.readouterr().out
        assert all(f" {command.target.partition(':')[2].replace('_', '-')} " in said for command in COMMANDS)

    def test_it_imports_nothing_that_only_commands_use(self) -> None:
        program = f"import sys; from cli.main import run; run(['--help']); print({HEAVY} & sys.modules.keys())"
        program = program.replace(f"{HEAVY} &", f"set({HEAVY}) &")
        done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
        assert done.stdout.splitlines()[-1] == "set()"

    @pytest.mark.parametrize(
        "name", ["dev", "api", "worker", "migrate", "doctor", "openapi", "settings", "bootstrap"]
    )
    def test_every_command_shows_an_example(self, name: str, capsys: pytest.CaptureFixture[str]) -> None:
        assert run([name, "--help"]) == 0
        assert f"groundwork {name}" in capsys.readouterr().out.partition("Examples:")[2]


class TestExitCodes:
    @pytest.mark.parametrize(
        ("arguments", "said", "advice"),
        [
            (["dve"], 'Unknown command "dve". Did you mean "dev"?', "groundwork --help"),
            (["dev", "--hom", "x"], 'Unknown option: "--hom"', "groundwork dev --help"),
            (["worker", "--ready-fd", "many"], "many", "groundwork worker --help"),
            (
                ["run", "submit", "a/b/c"],
                "--name is missing: The deployment: made by",
                "groundwork run submit --help",
            ),
            (["keys", "create"], "NAME is missing: What the key is for", "groundwork keys create --help"),
            (["keys", "create", "a", "--days"], "--days needs a value: Days", "groundwork keys create --help"),
            (["namespaces", "claim", "a", "b"], "b is too much", "groundwork namespaces claim --help"),
            (["modules", "list", "--limit", "-1"], "Must be >= 1", "groundwork modules list --help"),
            (["keys", "crate"], "Did you mean create? There are: list, create, revoke.", "groundwork keys --help"),
        ],
    )
    def test_a_wrong_command_line_is_2_with_one_line(
        self, arguments: list[str], said: str, advice: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert run(arguments) == 2
        error = capsys.readouterr().err
        assert error.startswith("groundwork: ")
        assert said.replace('"', "") in error.replace('"', "")
        assert error.endswith(f"({advice} says more)\n")
        assert len(error.splitlines()) == 1

    @pytest.mark.parametrize("words", list(every_command(app)), ids=" ".join)
    def test_only_the_whole_has_a_version(self, words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
        assert run([*words, "--version"]) == 2
        assert capsys.readouterr().out == ""

    def test_what_can_not_be_done_is_1_with_one_line(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("GROUNDWORK_CONFIG_FILE", "/nowhere.toml")
        assert run(["doctor"]) == 1
        assert capsys.readouterr().err == (
            "groundwork: GROUNDWORK_CONFIG_FILE: /nowhere.toml can't be read (No such file or directory)\n"
        )

    def test_a_path_that_the_system_does_not_take_is_1_with_one_line(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        path = "a" * 300
        assert run(["publish", "provider", path, "--namespace", "platform"]) == 1
        assert capsys.readouterr().err == (
            f"groundwork: {path} can't be used (File name too long): is the path right?\n"
        )

    def test_a_word_that_is_not_text_is_1_with_one_line(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("GROUNDWORK_URL", "https://registry.example.com")
        monkeypatch.setenv("GROUNDWORK_KEY", "gwk_svc_any")
        assert run(["modules", "show", "a/b/\udcff"]) == 1
        error = capsys.readouterr().err
        assert "a word of the command line, or a variable of the environment, is not UTF-8" in error
        assert len(error.splitlines()) == 1

    def test_a_reader_that_has_enough_is_no_error(self) -> None:
        command = f"{sys.executable} -m cli openapi | head -c 1; echo ${{PIPESTATUS[0]}}"
        done = subprocess.run(["bash", "-c", command], check=True, capture_output=True, text=True)
        assert (done.stdout, done.stderr) == ("{141\n", "")

    def test_the_process_ends_with_the_code(self) -> None:
        command = [sys.executable, "-m", "cli", "worker", "--queue", "unheard-of"]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        assert done.returncode == 1
        assert "there is no queue unheard-of: choose from control, terraform, transfer" in done.stderr


class TestOpenapi:
    def test_it_needs_no_server_and_no_settings(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert run(["openapi"]) == 0
        document = json.loads(capsys.readouterr().out)
        assert document["openapi"].startswith("3.1")
        assert "/api/v1/organizations" in document["paths"]


class TestSettings:
    def test_the_reference_needs_no_settings(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert run(["settings", "--markdown"]) == 0
        assert capsys.readouterr().out.startswith("# Settings\n")

    @pytest.mark.parametrize("form", [[], ["--json"]])
    def test_secrets_in_use_are_hidden(
        self, form: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name, value in {
            "DATABASE__APP_URL": "postgresql://app:canary@db/groundwork",
            "DATABASE__PLATFORM_URL": "postgresql://platform:canary@db/groundwork",
            "REGISTRY__HOSTNAME": "registry.acme.example",
            "REGISTRY__PUBLIC_URL": "https://registry.acme.example",
            "SECRETS__KEY_ENCRYPTION_KEY_FILE": "/run/kek",
            "SECRETS__PEPPER_FILE": "/run/pepper",
            "SECRETS__SIGNING_KEY_FILE": "/run/signing",
        }.items():
            monkeypatch.setenv(f"GROUNDWORK_{name}", value)
        assert run(["settings", *form]) == 0
        said = capsys.readouterr().out
        assert "registry.acme.example" in said
        assert "canary" not in said
