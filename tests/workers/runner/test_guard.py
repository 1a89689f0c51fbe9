"""The guard by itself, with shells in place of CLIs."""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from integrations.engines.engine import StepFolder
from tests.workers.runner.waiting import is_running, text_of, until
from workers.runner.guarded import CliExit, GuardedCli, boot_time

pytestmark = pytest.mark.servers

# Without a LANG, Python would add an LC_CTYPE of its own.
ENVIRONMENT = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
Guarding = Callable[..., AbstractAsyncContextManager[GuardedCli]]
# Notes each interrupt and goes on; ends when told often enough, or by a file.
STUBBORN = """
trap 'echo interrupted' INT
echo ready
while [ ! -e {folder}/enough ]; do sleep 0.02; done
"""
OBEDIENT = """
trap 'echo interrupted; exit 1' INT
echo ready
while :; do sleep 0.02; done
"""


@pytest.fixture
def folder(tmp_path: Path) -> StepFolder:
    return StepFolder(tmp_path)


@pytest.fixture
def guarding(folder: StepFolder) -> Guarding:
    @contextlib.asynccontextmanager
    async def start(deadline: float = 60, grace: float = 60) -> AsyncIterator[GuardedCli]:
        made = await GuardedCli.start(
            folder, ENVIRONMENT, deadline=boot_time() + deadline, grace=grace, sandbox=()
        )
        try:
            yield made
        finally:
            await made.close()

    return start


def shell(script: str, folder: StepFolder) -> list[str]:
    return ["/bin/sh", "-c", script.replace("{folder}", str(folder.root))]


def lines(folder: StepFolder) -> list[str]:
    return text_of(folder.log).splitlines()


class TestRun:
    async def test_tells_how_a_command_ended_and_what_it_said(
        self, guarding: Guarding, folder: StepFolder
    ) -> None:
        async with guarding() as cli:
            assert await cli.run(shell("echo out; echo err >&2; exit 3", folder), folder.log) == CliExit(3)
            assert await cli.run(shell("kill -9 $$", folder), folder.log) == CliExit(None, 9)
        assert lines(folder) == ["out", "err"]

    async def test_says_why_a_command_does_not_start(self, guarding: Guarding, folder: StepFolder) -> None:
        async with guarding() as cli:
            ended = await cli.run(["/no/such/program"], folder.log)
        assert ended == CliExit(None, refusal="No such file or directory")

    async def test_gives_the_command_its_environment_and_no_open_files(
        self, guarding: Guarding, folder: StepFolder
    ) -> None:
        async with guarding() as cli:
            await cli.run(["/usr/bin/env"], folder.log)
            await cli.run(shell("ls /proc/self/fd; cat", folder), folder.log)
        # 3 is the folder that ls itself reads.
        assert lines(folder) == [*(f"{name}={value}" for name, value in ENVIRONMENT.items()), *"0123"]

    async def test_ends_what_the_command_leaves_behind(self, guarding: Guarding, folder: StepFolder) -> None:
        script = (
            "sleep 1000 & echo $!; setsid sleep 1000 & echo $!; (setsid sh -c 'sleep 1000 & echo $!') ; exit 0"
        )
        async with guarding() as cli:
            await cli.run(shell(script, folder), folder.log)
            left = [int(line) for line in lines(folder)]
            assert len(left) == 3
            assert not any(map(is_running, left))


class TestInterrupt:
    async def test_is_one_signal_however_often_asked_for(self, guarding: Guarding, folder: StepFolder) -> None:
        async with guarding() as cli:
            running = asyncio.create_task(cli.run(shell(STUBBORN, folder), folder.log))
            await until(lambda: lines(folder) == ["ready"])
            for _ in range(3):
                cli.interrupt()
            await until(lambda: "interrupted" in lines(folder))
            (folder.root / "enough").touch()
            assert await running == CliExit(0, None, interrupted=True)
        assert lines(folder) == ["ready", "interrupted"]

    async def test_goes_to_the_command_alone(self, guarding: Guarding, folder: StepFolder) -> None:
        child = "(trap 'echo child' INT; echo ready; while :; do sleep 0.02; done)"
        script = f"trap 'sleep 0.2; exit 1' INT; {child} & while :; do sleep 0.02; done"
        async with guarding() as cli:
            running = asyncio.create_task(cli.run(shell(script, folder), folder.log))
            await until(lambda: lines(folder) == ["ready"])
            cli.interrupt()
            assert await running == CliExit(1, None, interrupted=True)
        assert lines(folder) == ["ready"]

    async def test_becomes_a_kill_when_the_grace_has_passed(self, guarding: Guarding, folder: StepFolder) -> None:
        async with guarding(grace=0.3) as cli:
            running = asyncio.create_task(cli.run(shell(STUBBORN, folder), folder.log))
            await until(lambda: lines(folder) == ["ready"])
            cli.interrupt()
            assert await running == CliExit(None, signal.SIGKILL, interrupted=True, killed=True)

    async def test_before_a_command_starts_none(self, guarding: Guarding, folder: StepFolder) -> None:
        async with guarding() as cli:
            cli.interrupt()
            assert await cli.run(shell("echo started", folder), folder.log) == CliExit(None, interrupted=True)
        assert lines(folder) == []


class TestDeadline:
    async def test_interrupts_by_itself(self, guarding: Guarding, folder: StepFolder) -> None:
        async with guarding(deadline=0.3) as cli:
            ended = await cli.run(shell(OBEDIENT, folder), folder.log)
        assert ended == CliExit(1, None, interrupted=True)

    async def test_that_has_passed_lets_nothing_start(self, guarding: Guarding, folder: StepFolder) -> None:
        async with guarding(deadline=-1) as cli:
            assert await cli.run(shell("echo started", folder), folder.log) == CliExit(None, interrupted=True)
        assert lines(folder) == []

    async def test_moves_with_each_renewal(self, guarding: Guarding, folder: StepFolder) -> None:
        async with guarding(deadline=0.5) as cli:
            running = asyncio.create_task(cli.run(shell(STUBBORN, folder), folder.log))
            cli.renew(boot_time() + 60)
            first = boot_time() + 0.5
            await until(lambda: boot_time() > first)
            (folder.root / "enough").touch()
            assert await running == CliExit(0)


class TestTheEndOfThePipe:
    async def test_interrupts_the_command(self, guarding: Guarding, folder: StepFolder) -> None:
        async with guarding() as cli:
            running = asyncio.create_task(cli.run(shell(OBEDIENT, folder), folder.log))
            await until(lambda: lines(folder) == ["ready"])
            await cli.close()
            assert await running == CliExit(1, None, interrupted=True)
        assert text_of(folder.report).splitlines()[-1] == "ended 1 interrupted left"


class TestAKilledGuard:
    async def test_leaves_no_command_running(self, guarding: Guarding, folder: StepFolder) -> None:
        async with guarding() as cli:
            running = asyncio.create_task(cli.run(shell(OBEDIENT, folder), folder.log))
            await until(lambda: lines(folder) == ["ready"])
            await until(lambda: text_of(folder.report).endswith("\n"))
            command = int(text_of(folder.report).split()[-1])
            os.kill(cli._process.pid, signal.SIGKILL)
            assert (await running).guard_lost
            assert not is_running(command)
        assert lines(folder) == ["ready", "interrupted"]
