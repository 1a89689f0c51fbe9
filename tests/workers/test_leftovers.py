"""Folders of runs that somebody left: what is in them is kept, and whose work goes on is left alone."""

import json
import os
from pathlib import Path
from uuid import UUID

import pytest
import structlog

from domain.ids import new_id
from domain.provisioning.steps import ExitClass, StepManifest, StepPhase
from integrations.engines.engine import StepFolder
from services.all import Services
from tests.factories.modules import publish_module
from tests.factories.organizations import Caller
from tests.factories.runs import Driver, a_state, an_outcome
from workers.leftovers import Leftovers
from workers.runner.workspace import claim

pytestmark = pytest.mark.servers


@pytest.fixture
def leftovers(services: Services, tmp_path: Path) -> Leftovers:
    return Leftovers(tmp_path, services.provisioning)


@pytest.fixture
async def driver(services: Services, caller: Caller) -> Driver:
    return Driver(services, caller.scope, await publish_module(services, caller, {"main.tf": ""}))


class Left:
    """The folder of an apply whose runner is gone."""

    def __init__(self, driver: Driver, deployment_id: UUID, whose: StepManifest, work_path: Path) -> None:
        self._driver = driver
        self._deployment_id = deployment_id
        self._step_id = whose.step_id
        self.folder = StepFolder(work_path / str(whose.step_id))
        self.folder.root.mkdir()
        self.folder.manifest.write_text(whose.model_dump_json())
        self.folder.state.write_bytes(a_state(1))

    @classmethod
    async def by(cls, driver: Driver, work_path: Path) -> "Left":
        run = await driver.submit(auto_apply=True)
        await driver.plan(run)
        step = await driver.admit(run)
        await driver.services.provisioning.steps.cli_started(driver.scope, step.step_id)
        whose = StepManifest(
            organization_id=driver.scope.organization_id,
            run_id=run.id,
            step_id=step.step_id,
            phase=StepPhase.APPLY,
        )
        return cls(driver, run.deployment_id, whose, work_path)

    async def states(self) -> list[int]:
        states = self._driver.services.deployments.states
        page = await states.page(self._driver.scope, self._deployment_id, after=None, limit=10)
        return [state.serial for state in page]

    async def end(self) -> None:
        outcome = an_outcome(self._step_id, ExitClass.KILLED)
        outcomes = self._driver.services.provisioning.outcomes
        await outcomes.record(self._driver.scope, outcome, outputs={}, plan=None)


class TestLook:
    async def test_leaves_a_folder_alone_that_a_runner_works_in(
        self, leftovers: Leftovers, driver: Driver, tmp_path: Path
    ) -> None:
        left = await Left.by(driver, tmp_path)
        await left.end()
        runner = claim(left.folder.root)
        await leftovers.look()
        assert left.folder.state.exists()
        assert await left.states() == []
        os.close(runner)

    async def test_keeps_the_state_while_the_lease_is_live_and_the_folder_until_it_has_ended(
        self, leftovers: Leftovers, driver: Driver, tmp_path: Path
    ) -> None:
        left = await Left.by(driver, tmp_path)
        await leftovers.look()
        assert await left.states() == [1]
        left.folder.state.write_bytes(a_state(2))  # its CLI was still saving
        await leftovers.look()
        await left.end()
        await leftovers.look()
        assert await left.states() == [2, 1]
        assert not left.folder.root.exists()

    async def test_a_state_that_is_no_more_than_half_written_is_not_deleted(
        self, leftovers: Leftovers, driver: Driver, tmp_path: Path
    ) -> None:
        left, other = await Left.by(driver, tmp_path), await Left.by(driver, tmp_path)
        left.folder.state.write_bytes(a_state(1)[:20])
        await left.end()
        await other.end()
        with structlog.testing.capture_logs() as lines:
            await leftovers.look()
            await leftovers.look()
        kept = [line for line in lines if line["event"] == "leftover_kept"]
        assert [line["folder"] for line in kept] == [str(left.folder.root)]
        assert left.folder.state.exists()
        assert not other.folder.root.exists()

    async def test_a_step_that_this_database_does_not_know_is_not_deleted(
        self, leftovers: Leftovers, driver: Driver, tmp_path: Path
    ) -> None:
        left = await Left.by(driver, tmp_path)
        whose = json.loads(left.folder.manifest.read_text()) | {"step_id": str(new_id())}
        left.folder.manifest.write_text(json.dumps(whose))
        await leftovers.look()
        assert left.folder.state.exists()

    async def test_an_empty_folder_is_deleted_when_nobody_can_be_about_to_fill_it(
        self, leftovers: Leftovers, tmp_path: Path
    ) -> None:
        new, old, foreign = (tmp_path / name for name in ("new", "old", "foreign"))
        for folder in (new, old, foreign):
            folder.mkdir()
        (foreign / "file").touch()
        os.utime(old, (0, 0))
        os.utime(foreign, (0, 0))
        await leftovers.look()
        assert [folder.exists() for folder in (new, old, foreign)] == [True, False, True]
