"""A worker that does steps and can be killed: it reads the name of a job's file from each line it is sent."""

import asyncio
import sys
from pathlib import Path

from domain.provisioning.steps import StepJob
from workers.runner.pool import RunnerPool


def read_job(order: str) -> StepJob:
    return StepJob.model_validate_json(Path(order.strip()).read_bytes())


async def work() -> None:
    """Do one step after the other until nothing more is sent; a line is printed when one has ended."""
    async with RunnerPool("tests.workers.runner.recording:open_recorder", slots=1) as pool:
        while order := await asyncio.to_thread(sys.stdin.readline):
            print(await pool.run(read_job(order), lambda _: None), flush=True)  # noqa: T201  the test reads it


if __name__ == "__main__":
    asyncio.run(work())
