"""`groundwork dev`, killed and interrupted in every way that happens to it."""

import asyncio
import json
import signal
import stat
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from integrations.tools import cache_folder
from tests.cli.supervisor.running import Dev, at_work_in, dev, nothing_works_in

pytestmark = [pytest.mark.servers, pytest.mark.timeout(180)]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Give a folder for a home, which is not there yet."""
    return tmp_path / "home"


async def groundwork(*words: str) -> tuple[int, str]:
    """Run a command to its end; give its status and what it said."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "cli", *words), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    said, _ = await process.communicate()
    return await process.wait(), said.decode()


async def kill(process: psutil.Process) -> None:
    process.kill()
    await asyncio.to_thread(psutil.wait_procs, [process], 10)


class TestKill:
    """Nothing that a kill -9 leaves behind blocks the next start, and no person is needed."""

    @pytest.mark.parametrize("victim", ["supervisor", "postgresql", "temporal"])
    async def test_the_next_start_recovers_and_folders_stay_closed(self, home: Path, victim: str) -> None:
        async with dev(home) as first:
            before = (await first.organizations()).json()
            if victim != "supervisor":
                first.server(victim).kill()
            first.signal(signal.SIGKILL)
            await first.ended()
        async with dev(home) as second:
            assert (await second.organizations()).json() == before
            assert set(rights(home, *folders_in(home))) == {0o700}


class TestStop:
    async def test_one_signal_stops_everything_in_order(self, home: Path) -> None:
        open_to_all(home)
        async with dev(home) as running:
            running.signal(signal.SIGINT)
            assert await running.ended() == 0
            assert "stopped" in running.said[-1]
            assert "database system is shut down" in "\n".join(running.said)
            assert at_work_in(home) == []
            assert rights(home) == [0o755]  # a folder that was there is its user's business

    async def test_a_second_signal_kills_what_does_not_stop(self, home: Path) -> None:
        async with dev(home) as running:
            running.server("api").suspend()
            running.signal(signal.SIGINT)
            await running.says("stopping")
            running.signal(signal.SIGINT)
            assert await running.ended() == 0
            await nothing_works_in(home)


@pytest.fixture(scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Dev]:
    """Run one for several tests."""
    async with dev(tmp_path_factory.mktemp("shared") / "home") as made:
        yield made


class TestStart:
    async def test_secrets_are_for_their_user_alone(self, running: Dev) -> None:
        home = running.home
        secret = [home / "admin.key", home / "groundwork.toml", *files_in(home / "development-secrets")]
        assert set(rights(*secret)) == {0o600}

    async def test_the_administrators_key_is_not_shown(self, running: Dev) -> None:
        key = (running.home / "admin.key").read_text().strip()
        assert key.startswith("gwk_")
        assert key not in "\n".join(running.said)

    async def test_a_second_one_on_the_same_home_is_refused(self, running: Dev) -> None:
        status, said = await groundwork("dev", "--home", str(running.home))
        assert status == 1
        assert f"groundwork dev runs in {running.home} already (process {running.process.pid})" in said

    async def test_doctor_finds_nothing_wrong(self, running: Dev, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("GROUNDWORK_CONFIG_FILE", str(running.home / "groundwork.toml"))
        status, said = await groundwork("doctor")
        assert status == 0, said
        assert "FAIL" not in said

    async def test_doctor_without_settings_looks_at_the_default_home_and_says_so(
        self, running: Dev, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("GROUNDWORK_CACHE", str(cache_folder()))
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setenv("DATABASE_URL", "postgresql://another:program@127.0.0.1:1/its")
        (tmp_path / ".local" / "share").mkdir(parents=True)
        (tmp_path / ".local" / "share" / "groundwork").symlink_to(running.home)
        status, said = await groundwork("doctor", "--quiet", "--json")
        findings = {finding["name"]: finding for finding in json.loads(said)}
        assert (status, findings["settings"]["state"]) == (0, f"from {running.home / 'groundwork.toml'}")
        assert {"API", "queue control", "queue terraform", "delivery", "key-encryption key"} <= set(findings)

    async def test_doctor_without_any_settings_says_how_to_get_some(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HOME", str(tmp_path))
        status, said = await groundwork("doctor")
        assert status == 1
        assert said.startswith("groundwork: there are no settings: name their file by GROUNDWORK_CONFIG_FILE")

    async def test_a_server_that_dies_is_started_again(self, running: Dev) -> None:
        for name in ("postgresql", "temporal", "api", "worker"):
            await kill(running.server(name))
            await running.says(f"{name} ended with status -9")
            await running.says(f"{name} is up")
        await running.serves()


class TestDetached:
    async def test_it_runs_in_the_background_until_it_is_told_to_stop(self, home: Path) -> None:
        status, said = await groundwork("dev", "--home", str(home), "--detach")
        assert (status, "documentation" in said) == (0, True), said
        assert len(at_work_in(home)) > 3
        assert rights(home / "groundwork.log") == [0o600]
        status, again = await groundwork("dev", "--home", str(home), "--detach")
        assert (status, "already running" in again, said[said.index("  api") :] in again) == (0, True, True), again
        assert await groundwork("dev", "--home", str(home), "--stop") == (
            0,
            "stopping; once more kills\nstopped\nstopped\n",
        )
        assert at_work_in(home) == []
        assert await groundwork("dev", "--home", str(home), "--stop") == (0, f"nothing runs in {home}\n")

    async def test_a_start_that_fails_says_why(self, home: Path) -> None:
        spoil(home)
        status, said = await groundwork("dev", "--home", str(home), "--detach")
        assert status == 1
        assert "groundwork dev ended while it started" in said


def rights(*paths: Path) -> list[int]:
    return [stat.S_IMODE(path.stat().st_mode) for path in paths]


def folders_in(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.is_dir()]


def files_in(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.is_file()]


def open_to_all(home: Path) -> None:
    home.mkdir()
    home.chmod(0o755)


def spoil(home: Path) -> None:
    home.mkdir()
    (home / "postgresql").write_text("a file where a folder should be")
