"""Submitting a run: what it takes over, what is refused, and that it is stored whole or not at all."""

import asyncio

import pytest
from sqlalchemy import text

from domain.errors import IdempotencyKeyReused
from domain.idempotency import Claim
from domain.ids import new_id
from domain.provisioning.errors import (
    EnvironmentFixed,
    InputGivenTwice,
    ModuleMissing,
    ModuleUnknown,
    ModuleYanked,
)
from domain.provisioning.steps import ExitClass, StepOperation
from domain.registry.names import ModuleAddress
from services.provisioning import runs as submitting
from services.registry.modules import PublishModule
from storage.database import Database
from tests.factories.modules import once
from tests.factories.runs import Driver, an_outcome
from tests.fixtures.archives import a_tar_gz
from tests.services.provisioning.test_runs import count

pytestmark = pytest.mark.servers


class TestSubmit:
    async def test_of_twenty_with_one_key_one_makes_the_run(self, driver: Driver, database: Database) -> None:
        claim, request = Claim.of("POST /api/v1/runs", "a-key", b"a body"), driver.request()
        made = await asyncio.gather(
            *(driver.provisioning.runs.submit(driver.scope, request, claim) for _ in range(20))
        )
        assert len({run.id for run in made}) == 1
        for table in ("run", "deployment", "deployment_lock"):
            assert await count(database, driver.scope, table) == 1

    async def test_another_body_under_the_same_key_is_refused(self, driver: Driver) -> None:
        await driver.provisioning.runs.submit(driver.scope, driver.request(), Claim.of("op", "k", b"one"))
        with pytest.raises(IdempotencyKeyReused):
            await driver.provisioning.runs.submit(driver.scope, driver.request(), Claim.of("op", "k", b"two"))

    async def test_of_twenty_on_one_deployment_one_is_admitted(self, driver: Driver) -> None:
        made = await asyncio.gather(*(driver.submit(deployment="shared") for _ in range(20)))
        seen = [await driver.look(run) for run in made]
        assert len({run.deployment_id for run in seen}) == 1
        assert sum(run.admitted_at is not None for run in seen) == 1

    async def test_twenty_deployments_at_once_are_all_admitted(self, driver: Driver) -> None:
        made = await asyncio.gather(*(driver.submit() for _ in range(20)))
        seen = [await driver.look(run) for run in made]
        assert all(run.admitted_at for run in seen)

    async def test_a_new_deployment_needs_a_module(self, driver: Driver) -> None:
        with pytest.raises(ModuleMissing):
            await driver.submit(module_source=None)

    async def test_the_module_must_be_published(self, driver: Driver) -> None:
        with pytest.raises(ModuleUnknown):
            await driver.submit(module_version="9.9.9")

    async def test_the_version_is_kept_as_it_was_published_however_it_was_written(self, driver: Driver) -> None:
        assert (await driver.submit(module_version="v1.0")).module_version == "1.0.0"

    async def test_a_yanked_version_is_for_deployments_that_have_had_it(self, driver: Driver) -> None:
        module = ModuleAddress(*driver.module.source.split("/"))
        await driver.submit(deployment="one")
        await driver.services.registry.withdrawals.yank(driver.scope, module, driver.module.version, "Broken.")
        with pytest.raises(ModuleYanked, match=r"thing/local 1\.0\.0 is yanked \(Broken\.\)") as refused:
            await driver.submit(deployment="another")
        assert refused.value.facts["reason"] == "Broken."
        assert (await driver.submit(deployment="one")).module_version == "1.0.0"
        later = await driver.submit(deployment="one", module_source=None, operation=StepOperation.DESTROY)
        assert later.module_version == "1.0.0"

    async def test_a_yanked_version_is_not_what_a_deployment_moves_to(self, driver: Driver) -> None:
        module = ModuleAddress(*driver.module.source.split("/"))
        files = a_tar_gz({"main.tf": "# another"})
        await driver.services.registry.modules.publish(driver.scope, PublishModule(module, "2.0.0"), once(files))
        await driver.submit(deployment="one", module_version="2.0.0")
        await driver.services.registry.withdrawals.yank(driver.scope, module, driver.module.version, "Broken.")
        with pytest.raises(ModuleYanked):
            await driver.submit(deployment="one")

    async def test_a_deployment_stays_in_its_environment(self, driver: Driver) -> None:
        await driver.submit(deployment="one", environment="staging")
        with pytest.raises(EnvironmentFixed, match="one is in staging, and a name is that of one deployment"):
            await driver.submit(deployment="one", environment="production")

    async def test_a_variable_is_given_once(self, driver: Driver) -> None:
        with pytest.raises(InputGivenTwice):
            await driver.submit(inputs={"a": 1}, secret_inputs={"a": 2})

    async def test_a_later_run_goes_on_with_module_inputs_and_secrets(
        self, driver: Driver, database: Database
    ) -> None:
        await driver.submit(deployment="one", inputs={"size": 3}, secret_inputs={"password": "hunter2"})
        later = await driver.submit(
            deployment="one", operation=StepOperation.DESTROY, module_source=None, module_version=None
        )
        assert (later.module_source, later.inputs) == (driver.module.source, {"size": 3})
        assert later.secret_input_names == ["password"]
        assert await count(database, driver.scope, "run_secret_input") == 1

    async def test_a_later_run_goes_on_from_what_was_applied_and_not_from_what_was_rejected(
        self, driver: Driver
    ) -> None:
        applied = await driver.submit(
            deployment="one", auto_apply=True, inputs={"size": 3}, secret_inputs={"password": "a"}
        )
        await driver.plan(applied)
        await driver.apply(applied)
        rejected = await driver.submit(deployment="one", inputs={"size": 9}, secret_inputs={"token": "b"})
        await driver.plan(rejected)
        await driver.provisioning.runs.reject(driver.scope, rejected.id, None)
        await driver.advance(rejected)
        later = await driver.submit(deployment="one", module_source=None, module_version=None)
        assert (later.module_source, later.inputs) == (applied.module_source, {"size": 3})
        assert later.secret_input_names == ["password"]
        assignment = await driver.admit(later)
        given = await driver.provisioning.materials.fetch(driver.scope, assignment)
        assert given.secret_inputs == {"password": "a"}

    async def test_a_later_run_goes_on_with_no_inputs_of_a_run_that_failed_before_it_had_a_plan(
        self, driver: Driver
    ) -> None:
        failed = await driver.submit(deployment="one", inputs={"siez": 3}, secret_inputs={"password": "a"})
        await driver.plan(failed, ExitClass.FAILED)
        later = await driver.submit(deployment="one", module_source=None, module_version=None)
        assert (later.module_source, later.inputs, later.secret_input_names) == (failed.module_source, {}, [])
        assert later.basis_run_id is None
        await driver.provisioning.runs.cancel(driver.scope, later.id)
        await driver.advance(later)
        planned = await driver.submit(deployment="one", inputs={"size": 3})
        await driver.plan(planned)
        await driver.provisioning.runs.reject(driver.scope, planned.id, None)
        await driver.advance(planned)
        again = await driver.submit(deployment="one", inputs={"siez": 3})
        await driver.provisioning.runs.cancel(driver.scope, again.id)
        await driver.advance(again)
        last = await driver.submit(deployment="one", module_source=None, module_version=None)
        assert (last.inputs, last.basis_run_id) == ({"size": 3}, planned.id)

    async def test_a_later_run_goes_on_from_what_was_applied_last_whatever_its_id(
        self, driver: Driver, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        earlier = new_id()
        first = await driver.submit(deployment="one", auto_apply=True, inputs={"size": 1})
        await driver.plan(first)
        await driver.apply(first)
        with monkeypatch.context() as patched:
            patched.setattr(submitting, "new_id", lambda: earlier)  # as if it had been drawn on another machine
            second = await driver.submit(
                deployment="one", auto_apply=True, inputs={"size": 2}, secret_inputs={"password": "b"}
            )
        assert second.id < first.id
        await driver.plan(second)
        await driver.apply(second)
        later = await driver.submit(deployment="one", module_source=None, module_version=None)
        assert (later.inputs, later.secret_input_names) == ({"size": 2}, ["password"])

    async def test_values_that_a_module_keeps_secret_are_forgotten_where_they_were_given_plainly(
        self, driver: Driver
    ) -> None:
        run = await driver.submit(inputs={"password": "hunter2", "size": 3})
        step = await driver.admit(run)
        await driver.provisioning.steps.cli_started(driver.scope, step.step_id)
        failed = an_outcome(step.step_id, ExitClass.FAILED)
        outcome = failed.model_copy(update={"exposed_inputs": ("password",)})
        await driver.provisioning.outcomes.record(driver.scope, outcome, outputs={}, plan=None)
        assert (await driver.look(run)).inputs == {"size": 3}

    async def test_secret_inputs_lie_nowhere_in_the_clear(self, driver: Driver, database: Database) -> None:
        await driver.submit(secret_inputs={"password": "hunter2-canary"})
        async with database.transaction(driver.scope) as session:
            for table in ("run", "deployment", "run_secret_input", "outbox", "audit_event"):
                rows = (await session.execute(text(f"SELECT to_jsonb(t)::text FROM {table} t"))).scalars().all()  # noqa: S608  a table's name
                assert rows
                assert not any("hunter2-canary" in row for row in rows)

    async def test_leaves_a_wake_in_the_same_transaction(self, driver: Driver, database: Database) -> None:
        run = await driver.submit(environment="production")
        async with database.transaction(driver.scope) as session:
            wakes = (
                await session.execute(
                    text("SELECT workflow_id, attributes FROM outbox WHERE area = 'provisioning'")
                )
            ).all()
        assert [wake.workflow_id for wake in wakes] == [f"run:{run.id}"]
        assert wakes[0].attributes == {"RunState": "accepted", "Environment": "production"}
