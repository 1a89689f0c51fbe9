"""What a module declares, from its publication over TLS to the page that shows it, by workers of their own."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import httpx2
import pytest
from temporalio.client import Client

from api.app import create_app
from config.loading import load_settings
from config.settings import CONFIG_FILE
from domain.long_work import CONTROL_QUEUE, TRANSFER_QUEUE
from services.changes import Changes
from tests.factories.organizations import Caller
from tests.factories.people import LONGEST
from tests.factories.registry import MODULES, a_module, claim_namespace, publish
from tests.fixtures.archives import a_tar_gz
from tests.fixtures.https import HOSTNAME, HttpsServer, serve
from tests.fixtures.platform import working
from tests.fixtures.workspaces import TOOLS, make_workspace
from workers.composition import keep_in_step, open_services

pytestmark = pytest.mark.servers

MODULE: Final = {
    "main.tf": 'output "name" {\n  value = "network"\n}\n',
    "modules/inner/main.tf": 'output "name" {\n  value = "inner"\n}\n',
}
UNREAD: Final = MODULE | {"notes.tf": "# The parser is given one megabyte a file.\n" * 30_000}
CALL: Final = f"""
    module "network" {{{{
      source  = "{HOSTNAME}/{{namespace}}/network/aws"
      version = "0.1.0"
    }}}}
"""


class Reading:
    """An API that stands beside the workers, and hears from them by the database alone."""

    def __init__(self, https: HttpsServer, changes: Changes) -> None:
        self.https = https
        self._changed = asyncio.Event()
        changes.subscribe(self._note)

    def _note(self, _: UUID | None) -> None:
        self._changed.set()

    async def page(self, client: httpx2.AsyncClient, caller: Caller, path: str) -> Any:  # noqa: ANN401  JSON
        """Give a module's page once its code is read, or known to be unreadable; until then it is asked for."""
        async with asyncio.timeout(LONGEST):
            while True:
                self._changed.clear()
                answer = await client.get(path, headers=caller.headers)
                assert answer.status_code == 200, answer.text
                if answer.json()["documents"]["state"] != "pending":
                    return answer.json()
                await self._changed.wait()


@pytest.fixture(scope="module")
async def reading(
    settings_file: Path,
    temporal_client: Client,
    no_other_runs: None,  # noqa: ARG001  asked for what it does
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Reading]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(CONFIG_FILE, str(settings_file))
        settings = load_settings()
        async with (
            open_services(settings) as services,
            serve(
                lambda url: create_app(
                    services, public_url=url, background=(partial(keep_in_step, settings, services),)
                ),
                tmp_path_factory.mktemp("tls"),
            ) as https,
            working(settings_file, temporal_client, queues=(CONTROL_QUEUE, TRANSFER_QUEUE)),
        ):
            yield Reading(https, services.registry.changes)


@pytest.fixture
async def over_tls(reading: Reading) -> AsyncIterator[httpx2.AsyncClient]:
    https = reading.https
    async with httpx2.AsyncClient(base_url=https.url, verify=https.trust, timeout=LONGEST) as made:
        yield made


class TestPublishing:
    async def test_is_followed_by_the_documents_on_the_page_that_somebody_keeps_asking_for(
        self, reading: Reading, over_tls: httpx2.AsyncClient, caller: Caller
    ) -> None:
        namespace = await claim_namespace(over_tls, caller)
        answer = await publish(over_tls, caller, MODULES, a_module(namespace, archive=a_tar_gz(MODULE)))
        assert answer.status_code == 201, answer.text
        found = await reading.page(over_tls, caller, f"/v1/modules/{namespace}/network/aws")
        assert found["documents"] == {"state": "ready", "reason": None}
        assert [each["name"] for each in found["root"]["outputs"]] == ["name"]
        assert [each["path"] for each in found["submodules"]] == ["modules/inner"]

    @pytest.mark.parametrize("tool", TOOLS)
    async def test_of_what_can_not_be_read_is_installed_all_the_same(
        self, reading: Reading, over_tls: httpx2.AsyncClient, caller: Caller, tmp_path: Path, tool: str
    ) -> None:
        namespace = await claim_namespace(over_tls, caller)
        form = a_module(namespace, archive=a_tar_gz(UNREAD))
        assert (await publish(over_tls, caller, MODULES, form)).status_code == 201
        found = await reading.page(over_tls, caller, f"/v1/modules/{namespace}/network/aws")
        assert found["documents"]["state"] == "unreadable"
        assert "1048576 bytes a file" in found["documents"]["reason"]
        call = CALL.format(namespace=namespace)
        space = make_workspace(tmp_path, tool, reading.https, call, key=caller.key)
        status, said = await space.run("init", "-input=false")
        assert status == 0, said
