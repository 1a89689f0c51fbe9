"""Folders for a moment: gone with their makers, and nobody else's."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from integrations.scratch import clear_scratch, scratch

KILLED = """
import os, signal
from integrations.scratch import scratch
with scratch("documents") as folder:
    (folder / "code").mkdir()
    print(folder, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def age(folder: Path) -> None:
    long_ago = time.time() - 3600
    os.utime(folder, (long_ago, long_ago))


class TestScratch:
    def test_is_gone_at_the_end(self, temporary: Path) -> None:
        with scratch("archive") as folder:
            (folder / "archive").write_bytes(b"bytes")
        assert list(temporary.iterdir()) == []


class TestClearScratch:
    def test_removes_what_a_killed_process_left(self, temporary: Path) -> None:
        environment = os.environ | {"TMPDIR": str(temporary)}
        done = subprocess.run(
            [sys.executable, "-c", KILLED], check=False, capture_output=True, text=True, env=environment
        )
        left = Path(done.stdout.strip())
        assert left.parent == temporary
        age(left)
        assert clear_scratch() == 1
        assert not left.exists()

    def test_leaves_what_somebody_works_in(self) -> None:
        with scratch("metrics") as folder:
            age(folder)
            assert clear_scratch() == 0
            assert folder.exists()

    def test_leaves_what_may_not_be_locked_yet(self, temporary: Path) -> None:
        (temporary / "groundwork-gpg-new").mkdir(mode=0o700)
        assert clear_scratch() == 0

    @pytest.mark.parametrize("name", ["groundwork-demo-a", "groundwork-documents-link"])
    def test_leaves_what_is_not_its_own(self, temporary: Path, name: str) -> None:
        other = temporary / "groundwork-demo-a"
        other.mkdir(mode=0o700)
        if not (temporary / name).exists():
            (temporary / name).symlink_to(other)
        age(other)
        assert clear_scratch() == 0
        assert other.exists()
