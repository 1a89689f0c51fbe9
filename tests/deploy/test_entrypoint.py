"""deploy/entrypoint.py, the first process of a container, run here as a process like any other."""

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

LONGEST = 30


@pytest.fixture
def entrypoint(repository: Path) -> list[str]:
    return [sys.executable, "-I", str(repository / "deploy" / "entrypoint.py")]


class TestEntrypoint:
    def test_it_ends_after_what_a_command_that_died_has_left(self, entrypoint: list[str], tmp_path: Path) -> None:
        told, kept = tmp_path / "told", tmp_path / "kept"
        os.mkfifo(told)
        process = subprocess.Popen([*entrypoint, "sh", "-c", f"cat {told} > {kept} & kill -9 $$"])
        first = psutil.Process(process.pid)
        with told.open("w") as pipe:  # opens when the runner of this test reads
            deadline = time.monotonic() + LONGEST
            while [child.name() for child in first.children()] != ["cat"]:
                assert time.monotonic() < deadline
                time.sleep(0.01)  # there is nothing to wait for but the next look
            assert process.poll() is None
            pipe.write("what was made")
        assert process.wait(LONGEST) == 128 + 9
        assert kept.read_text() == "what was made"

    @pytest.mark.parametrize("number", ["TERM", "INT", "HUP"])
    def test_a_signal_is_for_the_command_whose_status_it_ends_with(
        self, entrypoint: list[str], number: str
    ) -> None:
        script = (
            f"import os, signal, sys; signal.signal(signal.SIG{number}, lambda *_: sys.exit(3)); print('ready')"
        )
        command = [sys.executable, "-u", "-c", f"{script}\nwhile True: signal.pause()"]
        with subprocess.Popen([*entrypoint, *command], stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            subprocess.run(["sh", "-c", f"kill -{number} {process.pid}"], check=True)
            assert process.wait(LONGEST) == 3

    def test_a_command_that_is_not_there_is_an_error(self, entrypoint: list[str]) -> None:
        done = subprocess.run([*entrypoint, "/no/such/command"], check=False, capture_output=True, text=True)
        assert done.returncode == 1
        assert "/no/such/command" in done.stderr
