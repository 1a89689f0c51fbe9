"""The demo, as `make demo` runs it: without a terminal, from any folder, with an empty home."""

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from cli.demo.installation import processes_in
from integrations.tools import cache_folder

pytestmark = [pytest.mark.servers, pytest.mark.timeout(240)]


@asynccontextmanager
async def running_demo(
    directory: Path, *words: str, **variables: str
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run the demo; everything it makes goes to `tmp` in the folder."""
    home, scratch = directory / "home", directory / "tmp"
    home.mkdir()
    scratch.mkdir()
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "TMPDIR": str(scratch),
        "GROUNDWORK_CACHE": str(cache_folder()),
        "GROUNDWORK_DATABASE__POOL_SIZE": "no number: nothing of the caller's settings reaches the demo's servers",
        "TF_LOG": "trace",
        **variables,
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",
        "-m",
        "cli",
        "demo",
        *words,
        cwd=directory,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def left_behind(directory: Path) -> list[str]:
    """Give what a demo left in its folder, and processes of it."""
    files = [str(path) for name in ("home", "tmp") for path in (directory / name).iterdir()]
    return files + processes_in(directory)


def told_by(readme: Path) -> list[str]:
    """Give the demo's lines that a document shows, as far as they are the same each time."""
    shown = re.search(r"^\$ make demo\n(.*?)^Everything was checked", readme.read_text(), re.MULTILINE | re.DOTALL)
    assert shown is not None
    return [line.partition("...")[0] for line in shown[1].splitlines()]


class TestDemo:
    async def test_checks_every_step_as_the_readme_tells_and_leaves_nothing_behind(
        self, tmp_path: Path, repository: Path
    ) -> None:
        async with running_demo(tmp_path) as process:
            said = (await process.communicate())[0].decode()
        assert process.returncode == 0, said
        steps = re.findall(r"^\[(\d+)/(\d+)\] ", said, re.MULTILINE)
        assert [int(step) for step, _ in steps] == list(range(1, int(steps[0][1]) + 1))
        assert len(re.findall(r"^ +ok, \d+\.\d s$", said, re.MULTILINE)) == len(steps)
        assert [line for line in told_by(repository / "README.md") if line not in said] == []
        assert "\x1b" not in said
        assert str(tmp_path) not in said
        assert left_behind(tmp_path) == []

    async def test_stops_everything_when_it_is_interrupted(self, tmp_path: Path) -> None:
        async with running_demo(tmp_path) as process:
            assert process.stdout is not None
            while b"Claim a namespace" not in await process.stdout.readline():
                pass
            process.send_signal(signal.SIGTERM)
            await process.communicate()
        assert process.returncode == 130
        assert left_behind(tmp_path) == []

    async def test_says_what_to_do_when_it_can_not_start(self, tmp_path: Path) -> None:
        async with running_demo(tmp_path, PATH="/nowhere", GROUNDWORK_CACHE=str(tmp_path)) as process:
            said = (await process.communicate())[0].decode()
        assert process.returncode == 1
        assert "groundwork: temporal was not found: run `make tools NAMES=temporal`" in said
        assert said.splitlines()[-1] == "groundwork: the servers did not start (status 1)"
        assert left_behind(tmp_path) == []

    async def test_keeps_its_folder_when_asked_to(self, tmp_path: Path) -> None:
        async with running_demo(tmp_path, "--keep", PATH="/nowhere", GROUNDWORK_CACHE=str(tmp_path)) as process:
            said = (await process.communicate())[0].decode()
        [kept] = left_behind(tmp_path)
        assert f"kept {kept}" in said
        assert (Path(kept) / "home").is_dir()
