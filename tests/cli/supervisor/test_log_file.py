"""The log of a supervisor in the background."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from cli.supervisor.log_file import LogFile

A_LOGGER = """
import sys
from pathlib import Path
from cli.supervisor.log_file import LogFile
from cli.supervisor.log_lines import LogLines
lines = LogLines(LogFile(Path(sys.argv[1]), limit=200))
for number in range(12):
    lines.say("api", f"line {number:02} " + "x" * 20)
print("an error of nobody in particular", file=sys.stderr)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "groundwork.log"


class TestLogFile:
    def test_is_for_its_user_alone_also_if_it_was_open_to_others(self, path: Path) -> None:
        path.touch(mode=0o644)
        os.close(LogFile(path).open())
        assert stat.S_IMODE(path.stat().st_mode) == 0o600

    def test_that_is_full_is_put_aside_when_it_is_opened(self, path: Path) -> None:
        path.write_text("x" * 11)
        os.close(LogFile(path, limit=10).open())
        assert (path.stat().st_size, path.with_name("groundwork.log.1").stat().st_size) == (0, 11)

    def test_knows_who_writes_it(self, path: Path) -> None:
        file = LogFile(path)
        assert not file.is_written_by(1)
        descriptor = file.open()
        assert file.is_written_by(descriptor)
        os.close(descriptor)


class TestLogLines:
    def test_stay_within_two_files_and_errors_follow(self, path: Path) -> None:
        with os.fdopen(LogFile(path).open(), "wb") as output:
            subprocess.run([sys.executable, "-c", A_LOGGER, path], check=True, stdout=output, stderr=output)
        earlier = path.with_name("groundwork.log.1")
        lines = (earlier.read_text() + path.read_text()).splitlines()
        assert sorted(each.name for each in path.parent.iterdir()) == ["groundwork.log", "groundwork.log.1"]
        assert all(file.stat().st_size < 300 for file in (path, earlier))
        assert lines[-1] == "an error of nobody in particular"
        assert lines[-2].startswith("api        | line 11 ")
