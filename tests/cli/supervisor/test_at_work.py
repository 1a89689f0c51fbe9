"""What a stop tells of runs that are at work."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from cli.supervisor.at_work import deployments_at_work, interrupted_in_words
from cli.supervisor.home import Home
from services.all import Services
from tests.factories.modules import publish_module
from tests.factories.organizations import Caller
from tests.factories.runs import Driver
from tests.fixtures.https import HttpsServer


@pytest.fixture
def home(tmp_path: Path) -> Callable[[str, Path, str], Home]:
    """Give a function that makes the home of a server that runs already."""

    def make(url: str, authority: Path, key: str) -> Home:
        made = Home(tmp_path)
        made.settings_file.write_text(
            f'[registry]\npublic_url = "{url}"\n[temporal]\nweb_url = ""\n[tls]\nca_certificate = "{authority}"\n'
        )
        made.admin_key_file.write_text(f"{key}\n")
        return made

    return make


class TestDeploymentsAtWork:
    @pytest.mark.servers
    async def test_are_those_whose_runs_a_stop_interrupts(
        self,
        home: Callable[[str, Path, str], Home],
        https: HttpsServer,
        services: Services,
        make_caller: Callable[[], Awaitable[Caller]],
    ) -> None:
        caller = await make_caller()
        module = await publish_module(services, caller, {"main.tf": ""})
        driver = Driver(services, caller.scope, module)
        await driver.submit(deployment="waits")
        await driver.plan(await driver.submit(deployment="applies", auto_apply=True))
        await driver.plan(await driver.submit(deployment="awaits-a-person"))
        await driver.admit(await driver.submit(deployment="plans"))
        assert await deployments_at_work(home(https.url, https.ca, caller.key)) == ["applies", "plans"]

    async def test_are_none_where_nobody_answers(self, home: Callable[[str, Path, str], Home]) -> None:
        assert await deployments_at_work(home("https://127.0.0.1:1", Path("/nowhere"), "gwk_none")) == []

    async def test_are_none_of_a_home_that_never_ran(self, tmp_path: Path) -> None:
        assert await deployments_at_work(Home(tmp_path)) == []


class TestInterruptedInWords:
    def test_names_them_and_says_how_to_go_on(self) -> None:
        said = interrupted_in_words(["one", "two"])
        assert "at work on one, two: what was made is kept" in said
        assert "`groundwork run submit --name NAME` makes the rest" in said
