"""The tutorial, typed as it stands."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from integrations.tools import cache_folder

pytestmark = pytest.mark.servers
BIN = Path(sys.executable).parent


def script(tutorial: Path) -> str:
    """Put the tutorial's commands in a row, and do what a reader does by hand: agree."""
    typed = "".join(re.findall(r"```\n(.*?)```", tutorial.read_text(), re.DOTALL))
    for shown, instead in (
        ("make up\nexport PATH=$PWD/.venv/bin:$PATH\n", "groundwork dev --detach\n"),
        ("make down\n", ""),
        ("groundwork run approve hello\n", "groundwork run approve hello --yes\n"),
    ):
        assert typed.count(shown) == 1
        typed = typed.replace(shown, instead)
    return "set -e\n" + typed


class TestFirstModule:
    def test_it_can_be_followed_to_the_end(self, repository: Path, tmp_path: Path) -> None:
        environment = {
            "HOME": str(tmp_path),
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "GROUNDWORK_CACHE": str(cache_folder()),
            "LANG": "C.UTF-8",
        }
        try:
            done = subprocess.run(
                ["bash", "-c", script(repository / "docs" / "tutorials" / "first-module.md")],
                check=False,
                env=environment,
                capture_output=True,
                text=True,
            )
        finally:
            subprocess.run(
                [BIN / "groundwork", "dev", "--stop"], check=False, env=environment, capture_output=True
            )

        assert done.returncode == 0, done.stderr[-3000:]
        for promised in (
            "published platform/greeting/local 1.0.0",
            "Downloading registry.groundwork.test/platform/greeting/local 1.0.0 for greeting...",
            "greeting\tHello, world!",
            "versions         1.0.0",
            " (apply, applied)",
            "1 changed, 0 destroyed",
            "1 destroyed",
        ):
            assert promised in done.stdout
