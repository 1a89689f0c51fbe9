"""What runs give out is kept as it is."""

import json

import pytest
from pydantic import JsonValue

from domain.provisioning.steps import StepOutput
from tests.factories.runs import Driver

pytestmark = pytest.mark.servers

VALUES = ["a\0b", {"a\0b": ["\0"]}, None, 7, "\ufffd"]


class TestOfRun:
    @pytest.mark.parametrize("value", VALUES)
    async def test_shows_a_plain_value_as_it_was(self, driver: Driver, value: JsonValue) -> None:
        kind: JsonValue = ["object", {"a\0b": "string"}]
        run = await driver.submit(auto_apply=True)
        await driver.plan(run)
        await driver.apply(run, outputs={"o": StepOutput(value=value, type=kind, sensitive=False)})
        [output] = await driver.services.outputs.of_run(driver.scope, run.id)
        assert (output.value, output.type) == (value, kind)
        assert json.loads(output.model_dump_json())["value"] == value


class TestReveal:
    @pytest.mark.parametrize("value", VALUES)
    async def test_shows_a_sensitive_value_as_it_was(self, driver: Driver, value: JsonValue) -> None:
        run = await driver.submit(auto_apply=True)
        await driver.plan(run)
        await driver.apply(run, outputs={"o": StepOutput(value=value, type="string", sensitive=True)})
        assert await driver.services.outputs.reveal(driver.scope, run.id) == {"o": value}
