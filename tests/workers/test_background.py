"""Work beside a server's main work: what fails is told and begun again."""

import asyncio
from typing import Final

import structlog

from workers.background import keep_running, run_through

LONGEST: Final = 10.0


class TestKeepRunning:
    async def test_what_fails_is_told_and_begun_again(self) -> None:
        again = asyncio.Event()
        starts = 0

        async def work() -> None:
            nonlocal starts
            starts += 1
            if starts == 1:
                raise ValueError("a defect")
            again.set()
            await asyncio.Event().wait()

        with structlog.testing.capture_logs() as lines:
            task = asyncio.create_task(keep_running(work, pause=0))
            async with asyncio.timeout(LONGEST):
                await again.wait()
            task.cancel()
        assert [line["event"] for line in lines] == ["background_work_failed"]


class TestRunThrough:
    async def test_what_fails_is_begun_again_and_what_ends_is_not(self) -> None:
        starts = 0

        async def work() -> None:
            nonlocal starts
            starts += 1
            if starts == 1:
                raise ValueError("a defect")

        with structlog.testing.capture_logs() as lines:
            async with asyncio.timeout(LONGEST):
                await run_through(work, pause=0)
        assert ([line["event"] for line in lines], starts) == (["background_work_failed"], 2)
