"""A worker that does one step and can be killed: `python -m tests.workers.runner.worker JOB`."""

import asyncio
import sys
from pathlib import Path

from domain.provisioning.steps import StepJob
from workers.runner.pool import RunnerPool


async def work(job: StepJob) -> None:
    """Do the step; a line is printed when it has ended."""
    async with RunnerPool("tests.workers.runner.recording:open_recorder", slots=1) as pool:
        print(await pool.run(job, lambda _: None))  # noqa: T201  the test reads it


if __name__ == "__main__":
    asyncio.run(work(StepJob.model_validate_json(Path(sys.argv[1]).read_bytes())))
