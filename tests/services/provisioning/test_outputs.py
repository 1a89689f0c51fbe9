"""What runs give out is kept as it is."""

import json
from dataclasses import replace

import pytest
from pydantic import JsonValue
from sqlalchemy import text

from domain.idempotency import Claim
from domain.provisioning.errors import OutputsShown
from domain.provisioning.runs import Run
from domain.provisioning.steps import StepOutput
from domain.scope import Actor, ActorKind
from storage.database import Database
from tests.factories.runs import Driver

pytestmark = pytest.mark.servers

CLAIM = Claim.of("POST /api/v1/runs/x/outputs/reveal", "again", b"")
VALUES = ["a\0b", {"a\0b": ["\0"]}, None, 7, "\ufffd"]


class TestOfRun:
    @pytest.mark.parametrize("value", VALUES)
    async def test_shows_a_plain_value_as_it_was(self, driver: Driver, value: JsonValue) -> None:
        kind: JsonValue = ["object", {"a\0b": "string"}]
        run = await driver.submit(auto_apply=True)
        await driver.plan(run)
        await driver.apply(run, outputs={"o": StepOutput(value=value, type=kind, sensitive=False)})
        [output] = await driver.provisioning.outputs.of_run(driver.scope, run.id)
        assert (output.value, output.type) == (value, kind)
        assert json.loads(output.model_dump_json())["value"] == value


class TestReveal:
    @pytest.mark.parametrize("value", VALUES)
    async def test_shows_a_sensitive_value_as_it_was(self, driver: Driver, value: JsonValue) -> None:
        run = await driver.submit(auto_apply=True)
        await driver.plan(run)
        await driver.apply(run, outputs={"o": StepOutput(value=value, type="string", sensitive=True)})
        assert await driver.provisioning.outputs.reveal(driver.scope, run.id) == {"o": value}

    async def test_gives_the_same_answer_to_who_asks_again_with_the_same_key(self, driver: Driver) -> None:
        run = await self.with_a_secret(driver)
        for _ in range(2):
            assert await driver.provisioning.outputs.reveal(driver.scope, run.id, CLAIM) == {"o": "hunter2"}

    async def test_gives_it_to_nobody_else(self, driver: Driver) -> None:
        run, outputs = await self.with_a_secret(driver), driver.provisioning.outputs
        await outputs.reveal(driver.scope, run.id, CLAIM)
        other = replace(driver.scope, actor=Actor(ActorKind.API_KEY, "another"))
        for scope, claim in (
            (other, CLAIM),
            (driver.scope, replace(CLAIM, key="a-new-one")),
            (driver.scope, None),
        ):
            with pytest.raises(OutputsShown):
                await outputs.reveal(scope, run.id, claim)

    async def test_is_not_had_by_a_key_that_comes_after_one_who_saw_them(self, driver: Driver) -> None:
        run = await self.with_a_secret(driver)
        await driver.provisioning.outputs.reveal(driver.scope, run.id)
        for _ in range(2):
            with pytest.raises(OutputsShown):
                await driver.provisioning.outputs.reveal(driver.scope, run.id, CLAIM)

    async def test_keeps_no_value_with_the_key(self, driver: Driver, database: Database) -> None:
        run = await self.with_a_secret(driver)
        await driver.provisioning.outputs.reveal(driver.scope, run.id, CLAIM)
        async with database.transaction(driver.scope) as session:
            kept = (await session.scalars(text("SELECT to_jsonb(k)::text FROM idempotency_key k"))).all()
        assert len(kept) == 1
        assert "hunter2" not in kept[0]

    @staticmethod
    async def with_a_secret(driver: Driver) -> Run:
        """Drive a run to its end, with one sensitive output."""
        run = await driver.submit(auto_apply=True)
        await driver.plan(run)
        await driver.apply(run, outputs={"o": StepOutput(value="hunter2", type="string", sensitive=True)})
        return run
