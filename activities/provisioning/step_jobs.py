"""What a runner is given: an assignment, its materials as files, and what a worker's host gives to every step."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Self
from uuid import UUID

from domain.deployments.sources import EngineName
from domain.provisioning.inputs import Inputs
from domain.provisioning.steps import Sandbox, StepJob, StepLimits
from domain.scope import Scope
from integrations.terraformrc import RegistryHost, render_terraformrc
from services.provisioning.materials import StepMaterials
from services.provisioning.run_keys import RunKey
from services.provisioning.steps import Assignment

GIVEN: Final = ".given"
"""How the names of folders with materials end; the rest is the step's id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepSettings:
    """What a worker's host gives to every step."""

    worker: str
    work_path: Path
    engines: dict[EngineName, Path]
    limits: StepLimits
    sandbox: Sandbox
    registry: RegistryHost
    """Where CLIs install from; each step gets a key of its own for it."""
    ca_certificate: Path | None


@dataclass(frozen=True, slots=True)
class Given:
    """Materials, with files where the runner reads files."""

    module_archive: Path
    state: Path | None
    plan: Path | None
    lock_file: Path | None
    secret_inputs: Inputs
    terraformrc: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class GivenFolder:
    """Where materials lie: beside the step's own folder, so that no code of a module writes there.

    It stays as long as the step's own, because the log in that one is redacted by what is in here.
    """

    root: Path

    @classmethod
    def of(cls, work_path: Path, step_id: UUID) -> Self:
        """Name the folder of a step."""
        return cls(work_path / f"{step_id}{GIVEN}")

    @property
    def state(self) -> Path:
        """The state as the step finds it; missing where there is none."""
        return self.root / "state"

    @property
    def configuration(self) -> Path:
        """The CLI's configuration, with the keys that it is given."""
        return self.root / "terraformrc"


def configuration(settings: StepSettings, key: RunKey | None) -> str:
    """Write the CLI's configuration, with a key for the registry where the step has one."""
    registry = settings.registry
    return render_terraformrc(registry if key is None else replace(registry, token=key.token))


def write_materials(folder: GivenFolder, materials: StepMaterials, terraformrc: str) -> Given:
    """Make a folder that nobody else may look into, and write what the step is given into it."""
    folder.root.mkdir(mode=0o700, parents=True)
    folder.configuration.write_text(terraformrc)

    def written(path: Path, data: bytes) -> Path:
        path.write_bytes(data)
        return path

    return Given(
        module_archive=written(folder.root / "archive", materials.module_archive),
        state=None if materials.state is None else written(folder.state, materials.state),
        plan=None if materials.plan is None else written(folder.root / "plan", materials.plan),
        lock_file=None if materials.lock_file is None else written(folder.root / "lock", materials.lock_file),
        secret_inputs=materials.secret_inputs,
        terraformrc=terraformrc,
    )


def make_job(
    settings: StepSettings,
    scope: Scope,
    assignment: Assignment,
    given: Given,
    *,
    key: RunKey | None,
    lease_started: float,
) -> StepJob:
    """Make a runner's job of an assignment, with the materials that were written for it."""
    plan = assignment.plan
    return StepJob(
        organization_id=scope.organization_id,
        run_id=assignment.run_id,
        step_id=assignment.step_id,
        phase=assignment.phase,
        operation=assignment.operation,
        engine=assignment.engine,
        engine_path=settings.engines[assignment.engine],
        folder=settings.work_path / str(assignment.step_id),
        module_archive=given.module_archive,
        inputs=assignment.inputs,
        secret_inputs=given.secret_inputs,
        secrets=() if key is None else (key.token,),
        refuse_undeclared=assignment.refuse_undeclared,
        state=given.state,
        plan=given.plan,
        plan_sha256=None if plan is None else plan.sha256,
        lock_file=given.lock_file,
        terraformrc=given.terraformrc,
        ca_certificate=settings.ca_certificate,
        show_plan=assignment.show_plan,
        lease_started=lease_started,
        limits=settings.limits,
        sandbox=settings.sandbox,
    )
