"""A recorder that keeps everything in files, and does what files tell it: the database's part in runner tests.

Each step has a folder. What the runner records is there under names of its own; a test that makes a file called
`away`, `lost` or `cancel` there makes the recorder answer as a database that is away, a lease that is lost, or a
person who has asked for the run to stop; `no-outputs`, `no-plan` and `no-state` as one that can't
hold such a thing.
"""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from domain.errors import Unavailable
from domain.provisioning.steps import StepJob, StepResult
from workers.runner.recorder import LeaseLost, Recorders, Renewal, StepRecorder

FOLDER_VARIABLE = "TEST_RECORDING_FOLDER"


@dataclass(frozen=True)
class Record:
    """What was recorded of a step, for a test to read and to spoil."""

    folder: Path

    @property
    def log(self) -> bytes:
        path = self.folder / "log"
        return path.read_bytes() if path.exists() else b""

    @property
    def states(self) -> list[bytes]:
        return [path.read_bytes() for path in sorted(self.folder.glob("state-*"))]

    @property
    def result(self) -> StepResult | None:
        path = self.folder / "result.json"
        return StepResult.model_validate_json(path.read_bytes()) if path.exists() else None

    def answer_as(self, word: str) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / word).touch()

    def answer_again(self, word: str) -> None:
        (self.folder / word).unlink()


class FileRecorder:
    """See StepRecorder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    async def cli_started(self) -> None:
        self._obey()
        if (self._folder / "lost").exists():
            raise LeaseLost

    async def renew(self) -> Renewal:
        self._obey()
        if (self._folder / "lost").exists():
            raise LeaseLost
        return Renewal(cancel_requested=(self._folder / "cancel").exists())

    async def store_log(self, offset: int, data: bytes) -> None:
        self._obey()
        with (self._folder / "log").open("ab") as file:
            if offset != file.tell():
                raise AssertionError(f"a log chunk at {offset}, and {file.tell()} bytes are there")
            file.write(data)

    async def store_state(self, data: bytes) -> None:
        self._obey()
        self._refuse("no-state")
        count = len(list(self._folder.glob("state-*")))
        (self._folder / f"state-{count:04}").write_bytes(data)

    async def record_outcome(self, result: StepResult) -> None:
        self._obey()
        if result.outputs:
            self._refuse("no-outputs")
        if result.plan is not None:
            self._refuse("no-plan")
            shutil.copyfile(result.plan.path, self._folder / "plan")
            if result.plan.lock_file is not None:
                shutil.copyfile(result.plan.lock_file, self._folder / "lock.hcl")
        new = self._folder / "result.new"
        new.write_text(result.model_dump_json())
        new.rename(self._folder / "result.json")

    def _refuse(self, word: str) -> None:
        if (self._folder / word).exists():
            raise ValueError("this can't be held")

    def _obey(self) -> None:
        if (self._folder / "away").exists():
            raise Unavailable("the database does not answer")


class FileRecorders:
    """See Recorders."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def for_step(self, job: StepJob) -> StepRecorder:
        return FileRecorder(self._folder / str(job.step_id))

    def record(self, step_id: UUID) -> Record:
        return Record(self._folder / str(step_id))


@asynccontextmanager
async def open_recorder() -> AsyncIterator[Recorders]:
    """See RecorderFactory."""
    await asyncio.to_thread(Path(os.environ[FOLDER_VARIABLE]).mkdir, exist_ok=True, parents=True)
    yield FileRecorders(Path(os.environ[FOLDER_VARIABLE]))
