"""The real terraform and the real tofu against the registry: every case of the tables, through its doors."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import httpx2
import pytest

from services.all import Services
from tests.e2e.conformance.bent import BENT
from tests.e2e.conformance.cases import BY_ENVIRONMENT, Case, Outcome, Whose
from tests.e2e.conformance.catalogue import REAL, Catalogue, publish_catalogue
from tests.e2e.conformance.good import GOOD
from tests.e2e.conformance.watching import Watched
from tests.factories.organizations import Caller
from tests.fixtures.https import HttpsServer, app_at, serve
from tests.fixtures.workspaces import HERE, TOOLS, Door, make_workspace

pytestmark = pytest.mark.servers

CASES = GOOD + BENT
RUNS = [
    pytest.param(case, tool, door, id=f"{tool}-{door}-{case.name}", marks=pytest.mark.conformance(tool, door))
    for door in Door
    for tool in TOOLS
    for case in CASES
    if door in case.doors
]


@pytest.fixture(scope="module")
def watched(services: Services) -> Watched:
    """Put a watch between the tools and the product."""
    return Watched(app_at(services))


@pytest.fixture(scope="module")
async def https(watched: Watched, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[HttpsServer]:
    """Serve what is watched."""
    async with serve(watched.at, tmp_path_factory.mktemp("tls")) as server:
        yield server


@pytest.fixture(scope="module")
async def catalogue(
    client: httpx2.AsyncClient, make_caller: Callable[[], Awaitable[Caller]], https: HttpsServer
) -> Catalogue:
    """Publish what the cases use."""
    return await publish_catalogue(client, await make_caller(), {door: door.host(https) for door in Door})


@pytest.fixture(scope="module")
async def keys(catalogue: Catalogue, make_caller: Callable[[], Awaitable[Caller]]) -> dict[Whose, str | None]:
    """Give the keys that callers show."""
    stranger = await make_caller()
    return {
        "the publisher's": catalogue.caller.key,
        "a stranger's": stranger.key,
        "a wrong": "gwk_nonsense",
        "no": None,
    }


@pytest.fixture(scope="module")
async def packages(client: httpx2.AsyncClient, catalogue: Catalogue) -> dict[str, list[str]]:
    """Give the hashes of the real provider's packages by platform, as the registry says."""
    path = f"/v1/providers/{catalogue.namespace}/time/{REAL}/download/{HERE.os}/{HERE.arch}"
    answer = await client.get(path, headers=catalogue.caller.headers)
    return {platform: package["hashes"] for platform, package in answer.json()["packages"].items()}


class TestConformance:
    @pytest.mark.parametrize(("case", "tool", "door"), RUNS)
    async def test_comes_out_as_the_table_says(
        self,
        case: Case,
        tool: str,
        door: Door,
        tmp_path: Path,
        watched: Watched,
        https: HttpsServer,
        catalogue: Catalogue,
        keys: dict[Whose, str | None],
        packages: dict[str, list[str]],
    ) -> None:
        watched.begin(catalogue, case.bends)
        configuration = case.configuration(door.host(https), catalogue.namespace)
        key, environment = keys[case.key], dict(case.environment)
        if case.key_by_environment and key is not None:
            environment[BY_ENVIRONMENT] = key
            key = None
        space = make_workspace(tmp_path, tool, https, configuration, key=key, door=door, environment=environment)
        for command in case.runs:
            if command.anew:
                space.forget()
            status, said = await space.run(*command.line.split())
            assert status == command.status_of(tool), said
            assert re.search(command.words_of(tool), said), said
            assert command.says or "Warning:" not in said, said
            if status == 0:
                assert [used.found_in(space) for used in case.uses] == [used.gets for used in case.uses]
            elif command is case.runs[0]:
                assert not space.lock_file
        if case.check is not None:
            case.check(Outcome(space, watched.asked, packages))

    def test_no_two_cases_have_one_name(self) -> None:
        assert len({case.name for case in CASES}) == len(CASES)
