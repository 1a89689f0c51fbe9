"""Work beside a server's main work: what fails is told and begun again."""

import asyncio
from typing import Final

import structlog

from workers.background import keep_running

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
