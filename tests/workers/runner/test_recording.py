"""What a runner makes of the real database's answers."""

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from config.secrets import Secrets
from integrations.embedded.postgresql import PostgreSQL
from services.all import Services
from storage.blobs.local import LocalBlobStore
from storage.database import APP_ROLE, Database
from tests.factories.modules import publish_module
from tests.factories.organizations import Caller
from tests.factories.runs import Driver
from tests.factories.services import make_services
from workers.runner.keeping import Keeping

pytestmark = pytest.mark.servers
RESET = "RESET default_transaction_read_only"


class TestKeep:
    async def test_waits_for_a_database_that_takes_no_changes_as_for_one_that_is_away(
        self,
        services: Services,
        caller: Caller,
        postgresql: PostgreSQL,
        owner: AsyncEngine,
        secrets: Secrets,
        blobs: LocalBlobStore,
    ) -> None:
        driver = Driver(services, caller.scope, await publish_module(services, caller, {"main.tf": ""}))
        step_id = (await driver.admit(await driver.submit())).step_id
        connecting = Database(postgresql.app_url, postgresql.platform_url)
        steps = make_services(connecting, secrets, blobs).provisioning.steps
        calls = 0

        async def alter(value: str) -> None:  # on connections that are made from now on
            async with owner.begin() as connection:
                await connection.execute(text(f"ALTER ROLE {APP_ROLE} {value}"))

        async def store() -> None:
            nonlocal calls
            calls += 1
            if calls > 3:  # as often as what is refused is tried
                await alter(RESET)
            await steps.store_log(caller.scope, step_id, 0, b"a line\n")

        await alter("SET default_transaction_read_only = on")
        try:
            await Keeping().keep("log", store)
        finally:
            await alter(RESET)
            await connecting.close()
        assert calls == 4
