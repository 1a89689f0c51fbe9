"""Runners as the worker starts them, with real CLIs and a recorder of files."""

import os
import shutil
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from domain.deployments.sources import EngineName
from domain.ids import new_id
from domain.provisioning.steps import StepJob, StepLimits, StepOutcome, StepPhase, StepProgress, StepResult
from integrations.terraformrc import FilesystemMirror, render_terraformrc
from integrations.tools import TOOLS, find_tool
from tests.fixtures.archives import a_tar_gz
from tests.workers.runner.recording import FOLDER_VARIABLE, FileRecorders, Record
from workers.runner.guarded import boot_time
from workers.runner.pool import RunnerPool

FACTORY = "tests.workers.runner.recording:open_recorder"
TOOL_NAMES = {EngineName.TERRAFORM: "terraform", EngineName.OPENTOFU: "tofu"}
PROVIDER = "terraform-provider-time"
# Renewals come ten times as often as in production; what a test does not wait for is as long as there.
LIMITS = StepLimits(renewal=timedelta(seconds=0.5))


@dataclass
class Steps:
    """Makes jobs for one CLI, runs them in a pool, and reads what came of them."""

    engine: EngineName
    engine_path: Path
    folder: Path
    terraformrc: str
    recorders: FileRecorders
    pool: RunnerPool
    progress: list[StepProgress] = field(default_factory=list)

    def job(self, module: Mapping[str, str] | bytes, **fields: Any) -> StepJob:  # noqa: ANN401  StepJob's own fields
        """Make a job; a plan of a new deployment unless fields say otherwise."""
        step_id = new_id()
        archive = self.folder / f"{step_id}.archive"
        archive.write_bytes(module if isinstance(module, bytes) else a_tar_gz(module))
        made = {
            "organization_id": new_id(),
            "run_id": new_id(),
            "step_id": step_id,
            "phase": StepPhase.PLAN,
            "operation": "apply",
            "engine": self.engine,
            "engine_path": self.engine_path,
            "folder": self.folder / "work" / str(step_id),
            "module_archive": archive,
            "terraformrc": self.terraformrc,
            "lease_started": boot_time(),
            "limits": LIMITS,
        }
        return StepJob.model_validate(made | fields)

    def apply_of(self, planned: StepJob, **fields: Any) -> StepJob:  # noqa: ANN401  as above
        """Make the job that applies the plan which another job has made."""
        record = self.record(planned)
        result = record.result
        assert result is not None
        assert result.plan is not None
        lock_file = record.folder / "lock.hcl"
        return self.job(
            planned.module_archive.read_bytes(),
            phase=StepPhase.APPLY,
            operation=planned.operation,
            plan=record.folder / "plan",
            plan_sha256=result.plan.sha256,
            lock_file=lock_file if lock_file.exists() else None,
            state=planned.state,
            secret_inputs=planned.secret_inputs,
            **fields,
        )

    def record(self, job: StepJob) -> Record:
        return self.recorders.record(job.step_id)

    def result(self, job: StepJob) -> StepResult:
        found = self.record(job).result
        assert found is not None, "no outcome was recorded"
        return found

    async def run(self, job: StepJob) -> StepOutcome:
        return await self.pool.run(job, self.progress.append)


@pytest.fixture(scope="session")
def recording_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Choose where the recorders of all runners write."""
    folder = tmp_path_factory.mktemp("recording")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(FOLDER_VARIABLE, str(folder))
        patch.setenv("TF_VAR_name", "from the caller")
        patch.setenv("TF_CLI_ARGS", "-caller")
        patch.setenv("CALLERS_SECRET", "callers-secret-value")
        yield folder


@pytest.fixture(scope="session")
async def pool(recording_folder: Path) -> AsyncIterator[RunnerPool]:
    """Keep two runners warm for all tests that kill nothing."""
    # The runners inherit the variable that names the folder.
    assert os.environ[FOLDER_VARIABLE] == str(recording_folder)
    async with RunnerPool(FACTORY, slots=2) as made:
        yield made


@pytest.fixture(scope="session")
def provider_mirror(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Put the provider that makes runs of any length where both CLIs find it."""
    mirror = tmp_path_factory.mktemp("mirror")
    version = TOOLS[PROVIDER].version
    folder = mirror / f"registry.groundwork.test/hashicorp/time/{version}/linux_{_architecture()}"
    folder.mkdir(parents=True)
    shutil.copyfile(find_tool(PROVIDER), folder / f"{PROVIDER}_v{version}")
    (folder / f"{PROVIDER}_v{version}").chmod(0o755)
    return mirror


@pytest.fixture(params=list(TOOL_NAMES))
def steps(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    pool: RunnerPool,
    recording_folder: Path,
    provider_mirror: Path,
) -> Steps:
    """Run a test with each CLI."""
    engine = EngineName(request.param)
    return Steps(
        engine=engine,
        engine_path=find_tool(TOOL_NAMES[engine]),
        folder=tmp_path,
        terraformrc=render_terraformrc(sources=[FilesystemMirror(provider_mirror)]),
        recorders=FileRecorders(recording_folder),
        pool=pool,
    )


def _architecture() -> str:
    return {"x86_64": "amd64", "aarch64": "arm64"}[os.uname().machine]
