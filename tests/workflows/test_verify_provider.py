"""The workflow of a verification: it is made, and made all the same when its workflow is ended."""

import asyncio

import pytest
from sqlalchemy import text
from temporalio.client import Client

from domain.registry.verifications import VerificationResult
from integrations.embedded.postgresql import PostgreSQL
from services.all import Services
from services.registry.verifications import AREA
from storage.database import Database
from tests.factories.organizations import Caller
from tests.factories.providers import ask_for_verification
from workers.dispatcher import Dispatcher
from workers.transfer import build_transfer_worker

pytestmark = [pytest.mark.servers, pytest.mark.usefixtures("no_other_runs")]

LONGEST = 30


@pytest.fixture
def dispatcher(
    database: Database, postgresql: PostgreSQL, temporal_client: Client, services: Services
) -> Dispatcher:
    return Dispatcher(database, temporal_client, areas=services.areas, listen_url=postgresql.platform_url)


async def results(database: Database, caller: Caller) -> list[str]:
    async with database.transaction(caller.scope) as session:
        return list(await session.scalars(text("SELECT result FROM verification ORDER BY id")))


class TestRun:
    async def test_makes_the_check_that_was_asked_for(
        self,
        dispatcher: Dispatcher,
        temporal_client: Client,
        services: Services,
        caller: Caller,
        database: Database,
    ) -> None:
        reference = await ask_for_verification(services, caller.scope)
        async with asyncio.timeout(LONGEST), build_transfer_worker(temporal_client, services):
            await dispatcher.sweep()
            await temporal_client.get_workflow_handle(reference.workflow_id).result()
        assert await results(database, caller) == [VerificationResult.VERIFIED] * 2

    async def test_one_whose_workflow_was_ended_is_made_when_the_tick_finds_it(
        self,
        dispatcher: Dispatcher,
        temporal_client: Client,
        services: Services,
        caller: Caller,
        database: Database,
    ) -> None:
        reference = await ask_for_verification(services, caller.scope)
        await dispatcher.sweep()
        handle = temporal_client.get_workflow_handle(reference.workflow_id)
        await handle.terminate()
        async with database.transaction(caller.scope) as session:
            await session.execute(text("UPDATE verification_request SET due_at = now() - interval '2 minutes'"))
        assert (await services.areas[AREA].look_after()).done == {"woken": 1}
        async with asyncio.timeout(LONGEST), build_transfer_worker(temporal_client, services):
            await dispatcher.sweep()
            await handle.result()
        assert await results(database, caller) == [VerificationResult.VERIFIED] * 2
