"""Temporal's development server as a child: configured by the one list, and kept across a kill."""

import os
import signal
from pathlib import Path

import httpx2
import pytest
from temporalio.client import Client
from temporalio.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes

from integrations.embedded.temporal import TemporalServer
from integrations.temporal_configuration import temporal_configuration
from integrations.temporal_registration import missing_search_attributes, register

pytestmark = pytest.mark.servers


class TestTemporalServer:
    async def test_it_knows_the_search_attributes_and_shows_the_web_ui(self, tmp_path: Path) -> None:
        async with TemporalServer(tmp_path / "temporal") as server:
            client = await Client.connect(server.address, namespace=server.namespace)
            assert await missing_search_attributes(client) == {}
            async with httpx2.AsyncClient() as http:
                assert (await http.get(server.web_url)).is_success

    async def test_what_it_holds_survives_a_kill(self, tmp_path: Path) -> None:
        area = SearchAttributeKey.for_keyword("Area")
        async with TemporalServer(tmp_path / "temporal") as server:
            client = await Client.connect(server.address, namespace=server.namespace)
            await client.start_workflow(
                "a.workflow",
                id="kept",
                task_queue="nobody",
                search_attributes=TypedSearchAttributes([SearchAttributePair(area, "provisioning")]),
            )
            os.kill(server.pid, signal.SIGKILL)
            assert await server.wait() == -signal.SIGKILL
            await server.start()
            client = await Client.connect(server.address, namespace=server.namespace)
            described = await client.get_workflow_handle("kept").describe()
            assert described.typed_search_attributes[area] == "provisioning"


class TestRegister:
    async def test_it_makes_what_another_namespace_lacks_and_nothing_the_second_time(self, tmp_path: Path) -> None:
        async with TemporalServer(tmp_path / "temporal") as server:
            client = await Client.connect(server.address, namespace="another")
            wanted = [f"search attribute {name}" for name in temporal_configuration().search_attributes]
            assert await register(client) == ["namespace another", *wanted]
            assert await register(client) == []
