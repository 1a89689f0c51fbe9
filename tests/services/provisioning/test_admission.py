"""The one lock of a deployment as every holder uses it: taken, released, and the next one admitted."""

import pytest

from domain.deployments.locks import LockHolder
from services.provisioning.admission import free_and_admit
from storage.database import Database
from storage.deployments import locks
from storage.deployments.tables import DeploymentLockRow
from storage.provisioning import queue
from tests.factories.runs import Driver

pytestmark = pytest.mark.servers


def a_lock(driver: Driver, deployment_id: object, lock_id: str) -> DeploymentLockRow:
    """Say which CLI that keeps its state here holds the deployment."""
    return DeploymentLockRow(
        organization_id=driver.scope.organization_id,
        deployment_id=deployment_id,
        holder_kind=LockHolder.STATE_CLIENT,
        run_id=None,
        holder={"id": lock_id},
    )


class TestRelease:
    async def test_by_its_holder_admits_the_run_that_waits(self, driver: Driver, database: Database) -> None:
        first = await driver.submit(deployment="one")
        await driver.provisioning.runs.cancel(driver.scope, first.id)
        await driver.advance(first)
        async with database.transaction(driver.scope) as session:
            assert await locks.take(session, a_lock(driver, first.deployment_id, "a"))
            assert not await locks.take(session, a_lock(driver, first.deployment_id, "b"))
        waits = await driver.submit(deployment="one")
        assert (await driver.look(waits)).admitted_at is None
        async with database.transaction(driver.scope) as session:
            capacity = await queue.lock_permits(session, driver.scope.organization_id)
            assert await locks.release(session, a_lock(driver, first.deployment_id, "a"))
            assert await free_and_admit(session, driver.scope, capacity) == (0, 1)
        assert (await driver.look(waits)).admitted_at is not None

    async def test_by_anybody_else_changes_nothing(self, driver: Driver, database: Database) -> None:
        run = await driver.submit(deployment="one")
        async with database.transaction(driver.scope) as session:
            assert not await locks.release(session, a_lock(driver, run.deployment_id, "a"))
            assert await locks.is_held_by_run(session, driver.scope.organization_id, run.deployment_id, run.id)
