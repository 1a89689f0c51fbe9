"""Folders of runs that somebody left: what is in them is kept, and whose work goes on is left alone."""

import json
import os
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
import structlog
from sqlalchemy import text

from activities.provisioning.step_jobs import GivenFolder
from domain.ids import new_id
from domain.provisioning.logs import LogPosition
from domain.provisioning.runs import Run
from domain.provisioning.steps import ExitClass, StepOutput, StepPhase
from integrations.engines.engine import StepFolder
from integrations.terraformrc import RegistryHost, render_terraformrc
from services.all import Services
from storage.database import Database
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

    def __init__(self, driver: Driver, run: Run, step_id: UUID, work_path: Path) -> None:
        self._driver = driver
        self.run = run
        self.step_id = step_id
        self.folder = StepFolder(work_path / str(step_id))
        self.given = GivenFolder.of(work_path, step_id)
        self.folder.module.mkdir(parents=True)
        self.folder.state.write_bytes(a_state(1))
        self.given.root.mkdir()
        self.given.configuration.touch()

    @classmethod
    async def by(cls, driver: Driver, work_path: Path, *, phase: StepPhase = StepPhase.APPLY) -> "Left":
        run = await driver.submit(auto_apply=True)
        if phase is StepPhase.APPLY:
            await driver.plan(run)
        step = await driver.admit(run)
        await driver.services.provisioning.steps.cli_started(driver.scope, step.step_id)
        return cls(driver, run, step.step_id, work_path)

    async def states(self) -> list[int]:
        states = self._driver.services.deployments.states
        page = await states.page(self._driver.scope, self.run.deployment_id, after=None, limit=10)
        return [state.serial for state in page]

    async def log(self) -> bytes:
        logs = self._driver.services.provisioning.logs
        pieces = await logs.read(self._driver.scope, self.run.id, LogPosition(2, 0))
        return b"".join(piece.data for piece in pieces)

    async def end(self) -> None:
        outcome = an_outcome(self.step_id, ExitClass.KILLED)
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

    async def test_a_state_that_can_not_be_read_goes_aside_when_nobody_writes_it_any_more(
        self, leftovers: Leftovers, driver: Driver, database: Database, tmp_path: Path
    ) -> None:
        left = await Left.by(driver, tmp_path)
        half = a_state(2)[:20]
        left.folder.state.write_bytes(half)
        left.folder.errored_state.write_bytes(a_state(3))
        left.folder.log.write_bytes(b"the log\n")
        query = text("SELECT reason, serial, size FROM state_quarantine")
        await leftovers.look()
        async with database.transaction(driver.scope) as session:
            assert (await session.execute(query)).all() == []
        await left.end()
        await leftovers.look()
        async with database.transaction(driver.scope) as session:
            assert (await session.execute(query)).all() == [("unreadable", None, len(half))]
        assert (await left.states(), await left.log()) == ([3], b"the log\n")
        deployment = await driver.services.deployments.deployments.get(driver.scope, left.run.deployment_id)
        assert deployment.blocked_by_run_id == left.run.id
        assert not left.folder.root.exists()

    async def test_what_stands_in_the_place_of_state_and_log_keeps_no_folder(
        self, leftovers: Leftovers, driver: Driver, tmp_path: Path
    ) -> None:
        left = await Left.by(driver, tmp_path)
        (tmp_path / "a-file").write_bytes(a_state(9))
        left.folder.state.unlink()
        for file in (left.folder.state, left.folder.errored_state, left.folder.log):
            file.symlink_to(tmp_path / "a-file")
        await left.end()
        await leftovers.look()
        assert (await left.states(), await left.log()) == ([], b"")
        assert not left.folder.root.exists()

    async def test_a_state_of_no_bounds_is_not_read_and_stays_alone(
        self, leftovers: Leftovers, driver: Driver, tmp_path: Path
    ) -> None:
        left, other = await Left.by(driver, tmp_path), await Left.by(driver, tmp_path)
        left.folder.log.write_bytes(b"the log\n")
        with left.folder.state.open("wb") as file:
            file.truncate(50 * 1024**3)
        await left.end()
        await other.end()
        with structlog.testing.capture_logs() as lines:
            await leftovers.look()
            await leftovers.look()
        [kept] = [line for line in lines if line["event"] == "leftover_kept"]
        assert kept["folder"] == str(left.folder.root)
        assert "has 53687091200 bytes" in kept["reason"]
        assert await left.log() == b"the log\n"
        assert left.folder.state.exists()
        assert not other.folder.root.exists()

    async def test_a_step_that_this_database_does_not_know_is_not_deleted(
        self, leftovers: Leftovers, tmp_path: Path
    ) -> None:
        folder = StepFolder(tmp_path / str(new_id()))
        folder.root.mkdir()
        os.utime(folder.root, (0, 0))
        await leftovers.look()
        assert folder.root.exists()

    async def test_what_a_module_writes_in_its_folder_speaks_for_no_other_step(
        self, leftovers: Leftovers, driver: Driver, caller: Caller, tmp_path: Path
    ) -> None:
        other, left = await Left.by(driver, tmp_path / "elsewhere"), await Left.by(driver, tmp_path)
        said = {
            "organization_id": str(driver.scope.organization_id),
            "run_id": str(other.run.id),
            "step_id": str(other.step_id),
            "phase": "apply",
            "key_id": str(caller.principal.key_id),
        }
        (left.folder.root / "step.json").write_text(json.dumps(said))
        await left.end()
        await leftovers.look()
        assert (await left.states(), await other.states()) == ([1], [])
        keys = await driver.services.identity.api_keys.page(driver.scope, after=None, limit=10)
        assert [key.revoked_at for key in keys] == [None]

    async def test_a_step_that_plans_gives_its_deployment_no_state(
        self, leftovers: Leftovers, driver: Driver, tmp_path: Path
    ) -> None:
        left = await Left.by(driver, tmp_path, phase=StepPhase.PLAN)
        await left.end()
        await leftovers.look()
        assert await left.states() == []
        assert not left.folder.root.exists()
        assert not left.given.root.exists()

    async def test_ends_the_key_of_the_step_and_no_other(
        self, leftovers: Leftovers, driver: Driver, caller: Caller, database: Database, tmp_path: Path
    ) -> None:
        left, other = await Left.by(driver, tmp_path), await Left.by(driver, tmp_path)
        keys = driver.services.provisioning.run_keys
        for each in (left, other):
            await keys.make(
                driver.scope,
                caller.principal.user_id,
                await keys.draw(),
                run_id=each.run.id,
                step_id=each.step_id,
                lifetime=timedelta(hours=1),
            )
        await left.end()
        await leftovers.look()
        async with database.transaction(driver.scope) as session:
            query = text("SELECT id FROM api_key WHERE kind = 'run' AND revoked_at IS NULL")
            assert (await session.scalars(query)).all() == [other.step_id]

    async def test_the_rest_of_a_log_is_redacted_by_what_the_step_was_given_without_a_gap(
        self, leftovers: Leftovers, driver: Driver, tmp_path: Path
    ) -> None:
        left = await Left.by(driver, tmp_path)
        secret = StepOutput(value="a-very-long-secret-value", type="string", sensitive=True)
        state = {"outputs": {"password": secret.model_dump()}}
        left.given.state.write_text(json.dumps(state))
        left.given.configuration.write_text(
            render_terraformrc(RegistryHost("registry.test", "https://registry.test", "gwk_run_key"), [])
        )
        log = b"1 a-very-long-secret-value\n2 gwk_run_key\n3 a-very-long-secret-value\n4 the end\n"
        shown = b"1 [redacted]\n2 [redacted]\n3 [redacted]\n4 the end\n"
        await driver.provisioning.steps.store_log(driver.scope, left.step_id, 0, shown[:20])
        left.folder.log.write_bytes(log)
        left.folder.configuration.write_text("rewritten by the module")
        left.folder.state_before.write_text("{}")
        await left.end()
        await leftovers.look()
        assert await left.log() == shown
        assert not left.folder.root.exists()
        assert not left.given.root.exists()

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
