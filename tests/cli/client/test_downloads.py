"""Who downloads what, from the command line."""

import json
from datetime import UTC, datetime, timedelta

import httpx2
import pytest

from services.all import Services
from tests.cli.client.commands import Commands
from tests.factories.organizations import Caller
from tests.factories.registry import MODULES, a_module, claim_namespace, publish

pytestmark = pytest.mark.servers


@pytest.fixture
async def module(client: httpx2.AsyncClient, caller: Caller, services: Services) -> str:
    """Publish a module that a key downloads twice; give its address."""
    namespace = await claim_namespace(client, caller)
    await publish(client, caller, MODULES, a_module(namespace))
    for _ in range(2):
        path = f"/v1/modules/{namespace}/network/aws/0.1.0/download"
        await client.get(path, headers=caller.headers | {"User-Agent": "OpenTofu/1.12.6"})
    await services.registry.counter.write()
    return f"{namespace}/network/aws"


class TestDownloads:
    @pytest.mark.usefixtures("module")
    async def test_are_listed_by_day_and_hour_of_utc(self, administrator: Commands) -> None:
        [counted] = json.loads((await administrator("downloads", "list", "--json")).out)
        [line] = (await administrator("downloads", "list", "--interval", "hour", "--quiet")).lines
        hour = datetime.fromisoformat(line)
        assert datetime.now(UTC) - hour.replace(tzinfo=UTC) < timedelta(hours=2)
        assert (await administrator("downloads", "list")).lines == [f"{hour:%Y-%m-%d}\t2"]
        assert counted["downloads"] == 2
        none = await administrator("downloads", "list", "--kind", "provider")
        assert (none.code, none.out, "--from" in none.err) == (0, "", True)
        before = await administrator("downloads", "list", "--to", f"{hour:%Y-%m-%d}")
        assert (before.code, before.out) == (0, "")

    async def test_are_listed_by_module_and_provider(self, administrator: Commands, module: str) -> None:
        [line] = (await administrator("downloads", "modules", "--limit", "5")).lines
        assert line.split("\t")[:3] == ["2", module, "1"]
        assert (await administrator("downloads", "modules", "--quiet")).lines == [module]
        assert (await administrator("downloads", "providers")).out == ""
        wrong = await administrator("downloads", "modules", "--from", "2026-11-24", "--to", "2026-11-23")
        assert (wrong.code, "`from` has to be before `to`" in wrong.err) == (1, True)

    async def test_of_a_version_are_listed_by_key(self, administrator: Commands, module: str) -> None:
        [line] = (await administrator("downloads", "consumers", module, "0.1.0")).lines
        assert line.split("\t")[0] == "2"
        assert line.split("\t")[2] == "OpenTofu/1.12"
        [most] = (await administrator("downloads", "keys")).lines
        assert most == line
        assert (await administrator("downloads", "keys", "--quiet")).lines == [line.split("\t")[-1]]
        absent = await administrator("downloads", "consumers", module, "9.9.9")
        assert (absent.code, absent.out) == (1, "")
        wrong = await administrator("downloads", "consumers", "network", "9.9.9")
        assert (wrong.code, "NAMESPACE/NAME/SYSTEM" in wrong.err) == (2, True)
