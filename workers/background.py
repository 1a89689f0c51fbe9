"""What a server does beside its main work, for as long as it lives."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Final

import structlog

RESTART_SECONDS: Final = 1.0
log = structlog.get_logger(__name__)

Work = Callable[[], Coroutine[object, object, None]]


async def run_through(work: Work, *, pause: float = RESTART_SECONDS) -> None:
    """Run something to its end; begin again when it fails, or the process would do half of its work."""
    while True:
        try:
            await work()
        except Exception:
            log.exception("background_work_failed")
            await asyncio.sleep(pause)
        else:
            return


async def keep_running(work: Work, *, pause: float = RESTART_SECONDS) -> None:
    """Run something until cancelled, whether it ends or fails."""
    while True:
        await run_through(work, pause=pause)
        await asyncio.sleep(pause)


@asynccontextmanager
async def beside(work: Work) -> AsyncIterator[None]:
    """Keep something running as long as the context lasts."""
    task = asyncio.create_task(keep_running(work))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
