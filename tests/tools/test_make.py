"""What `make` says and asks; what its targets do is tested where they do it."""

import re
import subprocess
from pathlib import Path

import pytest

from bench.__main__ import GROUPS


def make(repository: Path, *words: str, answer: str = "") -> subprocess.CompletedProcess[str]:
    """Run make without setting up anew: the tests run in what it set up."""
    return subprocess.run(
        ["make", "--assume-old=.venv/.ready", *words],
        check=False,
        cwd=repository,
        input=answer,
        capture_output=True,
        text=True,
    )


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Give a folder with something in it."""
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "kept").touch()
    return folder


class TestHelp:
    def test_it_lists_every_target(self, repository: Path) -> None:
        phony = re.search(r"^\.PHONY: (.*)$", (repository / "Makefile").read_text(), re.MULTILINE)
        assert phony is not None
        said = make(repository).stdout
        assert all(re.search(rf"^  make {target} +\w", said, re.MULTILINE) for target in phony.group(1).split())

    def test_it_names_the_groups_of_benchmarks_that_there_are(self, repository: Path) -> None:
        assert f'(some of them: ONLY="{" ".join(GROUPS)}")' in make(repository).stdout


class TestReset:
    def test_it_deletes_nothing_without_a_yes(self, repository: Path, data: Path) -> None:
        assert make(repository, "reset", f"DATA={data}", answer="n\n").returncode != 0
        assert make(repository, "reset", f"DATA={data}").returncode != 0
        assert (data / "kept").exists()

    def test_it_deletes_after_a_yes(self, repository: Path, data: Path) -> None:
        assert make(repository, "reset", f"DATA={data}", answer="y\n").returncode == 0
        assert not data.exists()

    def test_it_does_not_ask_when_forced(self, repository: Path, data: Path) -> None:
        assert make(repository, "reset", f"DATA={data}", "FORCE=1").returncode == 0
        assert not data.exists()


class TestContinuousIntegration:
    def test_it_runs_what_the_readme_says(self, repository: Path) -> None:
        assert (repository / ".ci" / "run").read_text().splitlines()[-1] == "exec make test"
        assert "make test" in (repository / "README.md").read_text()
