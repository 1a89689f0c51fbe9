"""Deployments and tiers from the command line."""

import json
from pathlib import Path

import pytest

from services.all import Services
from tests.cli.client.commands import Commands
from tests.factories.modules import Published, publish_module
from tests.factories.organizations import Caller

pytestmark = pytest.mark.servers
MODULE = {"main.tf": 'resource "terraform_data" "thing" {}\n'}


@pytest.fixture
async def module(services: Services, caller: Caller) -> Published:
    return await publish_module(services, caller, MODULE)


@pytest.fixture
async def staging(administrator: Commands, module: Published) -> str:
    """Give the id of the last run of the deployment `staging`, which nobody works on."""
    words = ("run", "submit", module.source, module.version, "--environment", "staging", "--quiet", "--name")
    await administrator(*words, "other", "--tag", "team=b")
    [run] = (await administrator(*words, "one", "--tag", "team=a")).lines
    return run


class TestListDeployments:
    async def test_gives_the_newest_first(self, administrator: Commands, module: Published, staging: str) -> None:
        first, second = (line.split("\t") for line in (await administrator("deployments", "list")).lines)
        what = f"{module.source} {module.version}"
        assert first[:6] == ["one", "staging", "nothing_applied", what, "team=a", staging]
        assert second[0] == "other"

    @pytest.mark.usefixtures("staging")
    async def test_by_environment_and_tag(self, administrator: Commands) -> None:
        assert (await administrator("deployments", "list", "--tag", "team=b", "-q")).lines == ["other"]
        none = await administrator("deployments", "list", "--environment", "production")
        assert (none.code, none.out) == (0, "")
        assert "nothing is in an environment production: there are staging" in none.err


class TestShowDeployment:
    async def test_by_name_id_or_the_beginning_of_it(self, administrator: Commands, staging: str) -> None:
        document = json.loads((await administrator("deployments", "show", "one", "--json")).out)
        assert (document["name"], document["latest_run_id"]) == ("one", staging)
        for words in (document["id"], document["id"][:-1]):
            assert (await administrator("deployments", "show", words, "-q")).lines == ["one"]
        shown = (await administrator("deployments", "show", "one")).out
        assert f"last run     {staging} (apply, accepted)\n" in shown
        assert "tags         team=a\n" in shown

    async def test_of_none_is_one_line(self, administrator: Commands) -> None:
        done = await administrator("deployments", "show", "nowhere")
        assert done.code == 1
        assert done.err == (
            "groundwork: no id begins with nowhere among the newest 1000 deployments, and none has this name: "
            "`groundwork deployments list` shows them\n"
        )

    @pytest.mark.usefixtures("staging")
    async def test_asks_whether_one_was_meant_that_is_almost_called_so(self, administrator: Commands) -> None:
        assert "(did you mean other?)" in (await administrator("deployments", "show", "othre")).err

    async def test_of_whose_runs_the_key_may_not_see_is_shown_without_them(
        self, administrator: Commands, staging: str
    ) -> None:
        [key] = (await administrator("keys", "create", "looks", "--scope", "deployment:read")).lines
        administrator.environment(GROUNDWORK_KEY=key)
        assert f"last run     {staging}\n" in (await administrator("deployments", "show", "one")).out

    @pytest.mark.usefixtures("staging")
    async def test_says_where_to_look_as_long_as_nothing_was_applied(self, administrator: Commands) -> None:
        done = await administrator("deployments", "states", "one")
        assert (done.code, done.out) == (0, "")
        assert "no state yet, for nothing has been applied: see `groundwork run status one`" in done.err

    @pytest.mark.usefixtures("worker")
    async def test_has_the_states_that_runs_left(self, administrator: Commands, module: Published) -> None:
        words = ("run", "submit", module.source, module.version, "--name", "one", "--auto-approve", "--follow")
        assert (await administrator(*words)).code == 0
        assert "state        live\n" in (await administrator("deployments", "show", "one")).out
        newest, *_ = (await administrator("deployments", "states", "one")).lines
        serial, size, _, run, sha256 = newest.split("\t")
        assert int(serial) >= 1
        assert int(size) > 0
        assert len(sha256) == 64
        assert (await administrator("run", "status", "one", "-q")).lines == [run]
        assert (
            await administrator("run", "submit", "--name", "one", "--operation", "destroy", *words[6:])
        ).code == 0
        assert "state        destroyed\n" in (await administrator("deployments", "show", "one")).out


class TestTiers:
    async def test_are_made_listed_and_shown(
        self, administrator: Commands, module: Published, tmp_path: Path
    ) -> None:
        (tmp_path / "large.json").write_text('{"nodes": 3, "zones": ["a"]}')
        words = (
            "tiers",
            "create",
            "large",
            module.source,
            module.version,
            "--inputs-file",
            tmp_path / "large.json",
        )
        more = ("--input", "size=xl", "--environment", "staging", "--engine", "opentofu", "--minutes", "90")
        made = await administrator(*words, *more, "--description", "for many")
        assert made.out == f"created large: {module.source} {module.version} in staging\n"
        [line] = (await administrator("tiers", "list")).lines
        assert line.split("\t")[:5] == ["large", f"{module.source} 1.0.0", "staging", "opentofu", "for many"]
        shown = (await administrator("tiers", "show", "large")).out
        assert '"size": "xl"' in shown
        assert "takes about  90 minutes\n" in shown
        document = json.loads((await administrator("tiers", "show", "large", "--json")).out)
        assert document["inputs"] == {"nodes": 3, "zones": ["a"], "size": "xl"}

    async def test_leave_the_rest_to_the_server(self, administrator: Commands, module: Published) -> None:
        made = json.loads(
            (await administrator("tiers", "create", "small", module.source, module.version, "--json")).out
        )
        assert (made["environment"], made["engine"], made["inputs"]) == ("development", "terraform", {})
        assert (await administrator("tiers", "list", "-q")).lines == ["small"]

    async def test_say_what_to_do_when_there_are_none(self, administrator: Commands) -> None:
        assert "`groundwork tiers create NAME MODULE VERSION`" in (await administrator("tiers", "list")).err

    async def test_of_an_unknown_module_or_name_are_one_line(
        self, administrator: Commands, module: Published
    ) -> None:
        unknown = await administrator("tiers", "create", "small", module.source, "9.9.9")
        missing = await administrator("tiers", "show", "small")
        for done in (unknown, missing):
            assert (done.code, done.out, len(done.err.splitlines())) == (1, "", 1)
        assert "it has 1.0.0" in unknown.err
        assert "`groundwork tiers list`" in missing.err
