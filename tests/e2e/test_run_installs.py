"""A run installs from this registry, with a key of its own that ends with its step."""

from collections.abc import Callable

import httpx2
import pytest
from sqlalchemy import text
from temporalio.client import Client

from integrations.embedded.temporal import TemporalServer
from services.all import Services
from storage.database import Database
from tests.factories.modules import publish_module
from tests.factories.organizations import Caller
from tests.factories.people import People
from tests.fixtures.https import HOSTNAME, HttpsServer
from tests.fixtures.platform import Installation, working

pytestmark = [pytest.mark.servers, pytest.mark.usefixtures("no_other_runs")]

INNER = {
    "main.tf": """
variable "name" {
  type = string
}
output "greeting" {
  value = "hello ${var.name}"
}
"""
}


@pytest.mark.parametrize("engine", ["terraform", "opentofu"])
class TestModuleOfTheRegistry:
    async def test_is_installed_by_a_run_with_a_key_that_ends(
        self,
        make_installation: Callable[[], Installation],
        temporal: TemporalServer,
        temporal_client: Client,
        https: HttpsServer,
        client: httpx2.AsyncClient,
        services: Services,
        caller: Caller,
        database: Database,
        engine: str,
    ) -> None:
        people = People(client, caller)
        inner = await publish_module(services, caller, INNER)
        outer = await publish_module(
            services,
            caller,
            {
                "main.tf": f"""
module "inner" {{
  source  = "{HOSTNAME}/{inner.source}"
  version = "{inner.version}"
  name    = "anna"
}}
output "greeting" {{
  value = module.inner.greeting
}}
"""
            },
        )
        file = make_installation().settings_file(temporal.address, registry=https)
        async with working(file, temporal_client):
            body = {"deployment": "one", "module": outer.as_json(), "engine": engine, "auto_apply": True}
            submitted = await people.post("/api/v1/runs", body)
            await people.run(submitted["id"], "applied")
        [output] = await people.get(f"/api/v1/runs/{submitted['id']}/outputs")
        assert output["value"] == "hello anna"
        async with database.transaction(caller.scope) as session:
            found = await session.execute(
                text("SELECT scopes, revoked_at IS NOT NULL AS ended, expires_at FROM api_key WHERE kind = 'run'")
            )
            keys = found.all()
        assert len(keys) == 2
        assert all(key.ended and key.expires_at and key.scopes == ["registry:read"] for key in keys)
        listed = await people.get("/api/v1/api-keys")
        assert {key["kind"] for key in listed["items"]} == {"pat"}
