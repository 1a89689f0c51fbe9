"""Runs from the command line."""

import asyncio
import json
import threading

import pytest

from cli.client.api import Api, Document, Query
from cli.client.run_log import StateSeen, follow
from services.all import Services
from tests.cli.client.commands import Commands
from tests.factories.modules import Published, publish_module
from tests.factories.organizations import Caller
from tests.factories.runs import Driver

pytestmark = pytest.mark.servers

MODULE = {
    "main.tf": """
variable "name" {
  type = string
}
variable "password" {
  type      = string
  sensitive = true
  default   = null
}
resource "terraform_data" "thing" {
  input = var.name
}
output "greeting" {
  value = "hello ${terraform_data.thing.output}"
}
output "login" {
  value     = var.password
  sensitive = true
}
"""
}
BROKEN = {"main.tf": 'resource "terraform_data" "thing" {\n  input = nowhere.to.be.found\n}\n'}
NOBODY = "01932b0c-0000-7000-8000-000000000000"


@pytest.fixture
async def module(services: Services, caller: Caller) -> Published:
    return await publish_module(services, caller, MODULE)


class TestSubmit:
    async def test_says_how_to_watch_it(self, administrator: Commands, module: Published) -> None:
        done = await administrator("run", "submit", module.source, module.version, "--name", "one")
        assert done.code == 0
        assert done.out.startswith("submitted ")
        assert "`groundwork run logs " in done.out

    async def test_says_what_it_makes_or_changes(
        self, administrator: Commands, services: Services, caller: Caller
    ) -> None:
        driver = Driver(services, caller.scope, await publish_module(services, caller, MODULE))
        submit = ("run", "submit", driver.module.source, driver.module.version, "--name", "one")
        first = await administrator(*submit, "--environment", "staging")
        assert ", which makes one (staging), the first of that environment: " in first.out
        assert (
            ", which makes other (staging): "
            in (await administrator(*submit[:-1], "other", "--environment", "staging")).out
        )
        applied = await driver.submit(deployment="two", auto_apply=True)
        await driver.plan(applied)
        await driver.apply(applied)
        again = ("run", "submit", "--name", "two")
        assert ", which changes two (development): " in (await administrator(*again)).out
        destroys = await administrator(*again, "--operation", "destroy")
        assert ", which destroys two (development): " in destroys.out

    async def test_says_as_much_as_its_key_may_know(self, administrator: Commands, module: Published) -> None:
        [key] = (await administrator("keys", "create", "submits", "--scope", "run:submit")).lines
        administrator.environment(GROUNDWORK_KEY=key)
        done = await administrator("run", "submit", module.source, module.version, "--name", "one")
        assert ", which makes or changes one (development): " in done.out

    async def test_warns_of_a_version_that_is_deprecated_or_yanked(
        self, administrator: Commands, module: Published
    ) -> None:
        submit = ("run", "submit", module.source, module.version, "--name", "one")
        await administrator("modules", "deprecate", module.source, module.version, "--message", "Old.")
        assert f"warning: {module.source} 1.0.0 is deprecated: Old.\n" in (await administrator(*submit)).err
        await administrator("modules", "yank", module.source, module.version, "--reason", "Broken.")
        assert f"warning: {module.source} 1.0.0 is yanked: Broken.\n" in (await administrator(*submit)).err
        refused = await administrator(*submit[:-1], "another")
        assert refused.code == 1
        assert (
            f"{module.source} 1.0.0 is yanked (Broken.), and nothing new is made of it: name another"
            in refused.err
        )

    async def test_sends_what_was_asked_for(
        self, administrator: Commands, module: Published, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("TF_VAR_password", "hunter2")
        words = ("--name", "one", "--input", "name=anna", "--secret-input", "password", "--tag", "team=a")
        more = ("--environment", "staging", "--engine", "opentofu", "--operation", "plan", "--json")
        made = json.loads((await administrator("run", "submit", module.source, module.version, *words, *more)).out)
        assert made["inputs"] == {"name": "anna"}
        assert made["secret_input_names"] == ["password"]
        assert made["tags"] == {"team": "a"}
        assert (made["environment"], made["engine"], made["operation"]) == ("staging", "opentofu", "plan")

    async def test_takes_module_and_inputs_of_the_last_run(
        self, administrator: Commands, module: Published
    ) -> None:
        await administrator(
            "run", "submit", module.source, module.version, "--name", "one", "--input", "name=anna"
        )
        made = json.loads((await administrator("run", "submit", "--name", "one", "--json")).out)
        assert (made["module_source"], made["inputs"]) == (module.source, {"name": "anna"})

    async def test_says_which_inputs_of_the_last_run_are_left_out(
        self, administrator: Commands, module: Published, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("TF_VAR_password", "hunter2")
        words = ("run", "submit", module.source, module.version, "--name", "one", "--input", "name=anna")
        first = await administrator(*words, "--input", "size=2", "--secret-input", "password")
        assert first.err == ""
        run = first.out.split()[1].rstrip(",")
        await administrator("run", "submit", "--name", "one", "--operation", "plan", "--input", "name=otto")
        done = await administrator("run", "submit", "--name", "one", "--input", "name=otto")
        assert done.err.splitlines() == [
            f"with password as in run {run}: --no-inputs leaves them out",
            f"without size of run {run}: inputs are given whole",
        ]

    async def test_says_which_inputs_it_keeps(self, administrator: Commands, module: Published) -> None:
        words = ("run", "submit", module.source, module.version, "--name", "one", "--input", "name=anna", "-q")
        [run] = (await administrator(*words)).lines
        kept = await administrator("run", "submit", "--name", "one")
        assert kept.err == f"with name as in run {run}: --no-inputs leaves them out\n"
        without = await administrator("run", "submit", "--name", "one", "--no-inputs", "--json")
        assert json.loads(without.out)["inputs"] == {}
        assert f"without name of run {json.loads(without.out)['basis_run_id']}: inputs" in without.err

    async def test_keeps_no_inputs_or_takes_some(self, administrator: Commands) -> None:
        done = await administrator("run", "submit", "--name", "one", "--no-inputs", "--input", "name=anna")
        assert done.code == 2
        assert "--no-inputs leaves all inputs out" in done.err

    async def test_says_so_when_there_is_no_deployment_whose_module_it_could_take(
        self, administrator: Commands
    ) -> None:
        done = await administrator("run", "submit", "--name", "nothing-yet")
        assert "there is no such deployment yet: name the module" in done.err
        assert "deployment: nothing-yet" in done.err

    async def test_says_what_there_is_when_the_module_is_not_there(
        self, administrator: Commands, module: Published
    ) -> None:
        done = await administrator("run", "submit", module.source, "9.9.9", "--name", "one")
        assert done.err == f"groundwork: {module.source} has no version 9.9.9; it has 1.0.0\n"
        mistyped = await administrator("run", "submit", f"{module.source}l", "1.0.0", "--name", "one")
        assert f"there is no module {module.source}l (did you mean {module.source}?)" in mistyped.err
        done = await administrator("tiers", "create", "small", module.source, "9.9.9")
        assert done.err == f"groundwork: {module.source} has no version 9.9.9; it has 1.0.0\n"

    async def test_says_no_more_than_its_key_may_know(self, administrator: Commands, module: Published) -> None:
        [key] = (await administrator("keys", "create", "submits", "--scope", "run:submit")).lines
        administrator.environment(GROUNDWORK_KEY=key)
        done = await administrator("run", "submit", module.source, "9.9.9", "--name", "one")
        assert "the registry has no such module version" in done.err

    async def test_refuses_a_module_without_a_version(self, administrator: Commands) -> None:
        done = await administrator("run", "submit", "a/b/c", "--name", "one")
        assert done.code == 2
        assert "a module is named with its version" in done.err

    @pytest.mark.parametrize(
        "words",
        [("a/b/c", "1.0.0", "--name", "one"), ("a/b/c", "1.0.0", "--name", "One!"), ("--name", "nothing-yet")],
    )
    async def test_is_refused_by_the_server_in_one_line(
        self, administrator: Commands, words: tuple[str, ...]
    ) -> None:
        done = await administrator("run", "submit", *words)
        assert (done.code, done.out) == (1, "")
        assert len(done.err.splitlines()) == 1


class TestList:
    async def test_gives_runs_by_state_and_tag(self, administrator: Commands, module: Published) -> None:
        first = ("run", "submit", module.source, module.version, "--name", "one", "--tag", "team=a", "--quiet")
        [run] = (await administrator(*first)).lines
        await administrator("run", "submit", "--name", "one", "--tag", "team=b")
        assert (await administrator("run", "list", "--tag", "team=a", "--quiet")).lines == [run]
        [line] = (await administrator("run", "list", "--tag", "team=a")).lines
        assert line.split("\t")[:4] == [run, "one", "development", "apply"]
        assert (await administrator("run", "list", "--state", "applied")).lines == []

    @pytest.mark.parametrize("noun", ["run", "deployments"])
    async def test_says_which_environments_there_are(
        self, administrator: Commands, module: Published, noun: str
    ) -> None:
        words = ("run", "submit", module.source, module.version, "--environment")
        await administrator(*words, "staging", "--name", "one")
        await administrator(*words, "prod", "--name", "two")
        done = await administrator(noun, "list", "--environment", "pord")
        assert (done.code, done.out) == (0, "")
        assert done.err == "nothing is in an environment pord (did you mean prod?): there are prod, staging\n"
        assert "no such run" in (await administrator("run", "list", "--environment", "prod", "--tag", "a=b")).err

    async def test_says_what_to_do_when_there_are_none(self, administrator: Commands) -> None:
        assert "no run yet: `groundwork run submit" in (await administrator("run", "list")).err
        assert "no such run" in (await administrator("run", "list", "--state", "applied")).err


class TestStatus:
    async def test_shows_where_a_run_is(self, administrator: Commands, module: Published) -> None:
        [run] = (await administrator("run", "submit", module.source, module.version, "--name", "one", "-q")).lines
        shown = (await administrator("run", "status", run)).out
        assert "deployment  one (development)" in shown
        assert f"module      {module.source} 1.0.0" in shown
        assert f"workflow    run:{run}\n" in shown

    async def test_tells_what_it_waits_for_and_where_to_look(
        self, administrator: Commands, module: Published
    ) -> None:
        words = ("run", "submit", module.source, module.version, "--name", "one", "-q")
        [first], [second] = [(await administrator(*words)).lines for _ in range(2)]
        shown = (await administrator("run", "status", second)).out
        assert f"waiting     run {first}, which is accepted, has the deployment\n" in shown
        assert f"next        groundwork run status {first}\n" in shown

    @pytest.mark.parametrize("verb", ["status", "logs", "plan", "outputs", "cancel", "approve", "reject"])
    async def test_of_another_organization_s_run_is_nobody_s_business(
        self, administrator: Commands, verb: str
    ) -> None:
        done = await administrator("run", verb, NOBODY)
        assert (done.code, done.out) == (1, "")
        assert len(done.err.splitlines()) == 1

    async def test_takes_the_beginning_of_an_id_or_the_deployment_of_the_last_run(
        self, administrator: Commands, module: Published
    ) -> None:
        words = ("run", "submit", module.source, module.version, "--quiet", "--name")
        [first] = (await administrator(*words, "one")).lines
        [second] = (await administrator(*words, "one")).lines
        [other] = (await administrator(*words, "other")).lines
        assert (await administrator("run", "status", "one", "-q")).lines == [second]
        for run in (first, second, other):
            assert (await administrator("run", "status", run[:-1].upper(), "-q")).lines == [run]

    async def test_says_so_when_a_beginning_is_that_of_several(
        self, administrator: Commands, module: Published
    ) -> None:
        words = ("run", "submit", module.source, module.version, "--quiet", "--name")
        [first] = (await administrator(*words, "one")).lines
        [second] = (await administrator(*words, "other")).lines
        done = await administrator("run", "cancel", first[:4])
        assert done.code == 1
        assert done.err == (f"groundwork: 2 ids begin with {first[:4]} ({second}, {first}): write more of it\n")

    async def test_asks_whether_a_deployment_was_meant_that_is_almost_called_so(
        self, administrator: Commands, module: Published
    ) -> None:
        await administrator("run", "submit", module.source, module.version, "--name", "another")
        assert "(did you mean another?)" in (await administrator("run", "status", "anotehr")).err

    @pytest.mark.parametrize("words", ["one", "0", "zzzz", ""])
    async def test_says_so_when_nothing_is_meant(
        self, administrator: Commands, module: Published, words: str
    ) -> None:
        await administrator("run", "submit", module.source, module.version, "--name", "another")
        done = await administrator("run", "status", words)
        assert done.code == 1
        assert "and none of them is of a deployment of this name" in done.err
        assert len(done.err.splitlines()) == 1


class TestOutputs:
    async def test_of_a_deployment_of_which_nothing_was_applied_are_an_error(
        self, administrator: Commands, module: Published
    ) -> None:
        await administrator("run", "submit", module.source, module.version, "--name", "one")
        done = await administrator("run", "outputs", "one")
        assert (done.code, done.out) == (1, "")
        assert "nothing of one has been applied yet: see `groundwork run status one`" in done.err


class TestLogs:
    async def test_says_that_the_run_goes_on_when_the_server_stays_away(
        self, commands: Commands, caller: Caller, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("cli.client.run_log.PAUSE", 0.01)
        monkeypatch.setattr("cli.client.run_log.SAID_AFTER", 0)
        monkeypatch.setattr("cli.client.run_log.GIVEN_UP_AFTER", 0.05)
        commands.environment(GROUNDWORK_URL="https://127.0.0.1:1", GROUNDWORK_KEY=caller.key)
        done = await commands("run", "logs", NOBODY)
        assert done.code == 1
        lost, goes_on, error = done.err.splitlines()
        assert lost == "connection lost, trying again"
        assert goes_on == f"the run goes on: `groundwork run logs {NOBODY} --follow`"
        assert error.startswith("groundwork: can't reach https://127.0.0.1:1")

    async def test_ends_when_the_run_waits_for_approval(
        self, administrator: Commands, services: Services, caller: Caller, module: Published
    ) -> None:
        driver = Driver(services, caller.scope, module)
        run = await driver.submit()
        await driver.plan(run)
        done = await administrator("run", "logs", str(run.id))
        assert done.code == 0
        assert done.err.splitlines()[-1] == f"`groundwork run approve {run.id}` shows the plan and asks"

    @pytest.mark.parametrize("is_decided", [True, False])
    async def test_goes_on_when_it_is_decided_or_is_to_see_the_end(
        self,
        administrator: Commands,
        services: Services,
        caller: Caller,
        module: Published,
        is_decided: bool,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        driver = Driver(services, caller.scope, module)
        run = await driver.submit()
        await driver.plan(run)
        if is_decided:
            await driver.approve(run)
        words, asked, ask = () if is_decided else ("--follow",), threading.Event(), Api.get

        def get(api: Api, path: str, **query: Query) -> Document:
            asked.set()
            return ask(api, path, **query)

        monkeypatch.setattr(Api, "get", get)
        follows = asyncio.create_task(administrator("run", "logs", str(run.id), *words))
        await asyncio.to_thread(asked.wait)  # it saw that the run awaits approval, and asks whether it does
        await driver.provisioning.runs.cancel(driver.scope, run.id)
        await driver.advance(run)
        assert (await follows).err.splitlines()[-1] == f"{run.id} is canceled"


@pytest.mark.usefixtures("worker")
class TestWhole:
    async def test_follows_a_run_to_its_end(self, administrator: Commands, module: Published) -> None:
        words = (module.source, module.version, "--name", "one", "--input", "name=anna")
        done = await administrator("run", "submit", *words, "--auto-approve", "--follow")
        assert done.code == 0
        assert "terraform_data.thing: Creation complete" in done.out
        assert done.err.splitlines()[-1].endswith(" is applied")

    async def test_is_decided_about_with_the_plan_in_view(
        self, administrator: Commands, module: Published, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("TF_VAR_password", "hunter2")
        words = (module.source, module.version, "--name", "one", "--input", "name=anna", "--quiet")
        [run] = (await administrator("run", "submit", *words, "--secret-input", "password")).lines
        await self.awaits_approval(run)
        status = (await administrator("run", "status", run)).out
        assert f"groundwork run approve {run}, which shows the plan and asks" in status
        assert "progress" not in status
        assert "terraform_data.thing will be created" in (await administrator("run", "plan", run)).out
        unasked = await administrator("run", "approve", run)
        assert (unasked.code, unasked.out) == (2, "")
        assert "there is nobody to ask, so say --yes if it is meant: Apply this plan?" in unasked.err
        refused = await administrator("run", "approve", run, typed="n\n")
        assert (refused.code, refused.out) == (1, "")
        assert "terraform_data.thing will be created" in refused.err
        assert "Apply this plan? [y/N] " in refused.err
        assert "state       awaiting_approval" in (await administrator("run", "status", run)).out
        approved = await administrator("run", "approve", run, "--reason", "good", typed="y\n")
        assert (approved.code, approved.out.split(":")[0]) == (0, f"approved {run}")
        followed = await administrator("run", "logs", run)
        assert (await administrator("run", "approve", run)).out == f"{run} was approved before; it is applied\n"
        assert "Creation complete" in followed.out
        assert (await administrator("run", "outputs", run)).lines == ["greeting\thello anna", "login\t(sensitive)"]
        assert (await administrator("run", "outputs", run, "--reveal")).lines == ["login\thunter2"]
        again = await administrator("run", "outputs", run, "--reveal")
        assert again.code == 1
        [later] = (await administrator("run", "submit", "--name", "one", "--operation", "plan", "-q")).lines
        await administrator("run", "logs", later, "--quiet")
        of_name = await administrator("run", "outputs", "one")
        assert of_name.lines == ["greeting\thello anna", "login\t(sensitive)"]
        without = await administrator("run", "outputs", later)
        assert (without.code, without.out) == (0, "")
        assert f"run {later} is planned, and only one that is applied has any" in without.err
        assert "Creation complete" in (await administrator("run", "logs", run, "--no-follow")).out

    async def test_is_not_approved_with_another_plan_than_was_shown(
        self, administrator: Commands, module: Published, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        words = (module.source, module.version, "--name", "one", "--input", "name=anna", "--quiet")
        [run] = (await administrator("run", "submit", *words)).lines
        await self.awaits_approval(run)
        ask, path = Api.get, f"/api/v1/runs/{run}/plan"

        def get(api: Api, where: str, **query: Query) -> Document:
            found = ask(api, where, **query)
            return found | {"sha256": "0" * 64} if where == path else found

        monkeypatch.setattr(Api, "get", get)
        done = await administrator("run", "approve", run, "--yes")
        assert (done.code, done.out) == (1, "")
        assert done.err.splitlines()[-1].startswith("groundwork: the run has another plan")
        assert "state       awaiting_approval" in (await administrator("run", "status", run)).out

    async def test_that_is_rejected_ends_without_being_applied(
        self, administrator: Commands, module: Published
    ) -> None:
        words = (module.source, module.version, "--name", "one", "--input", "name=anna", "--quiet")
        [run] = (await administrator("run", "submit", *words)).lines
        await self.awaits_approval(run)
        await administrator("run", "reject", run, "--reason", "wrong region")
        await administrator("run", "logs", run, "--quiet")
        shown = json.loads((await administrator("run", "status", run, "--json")).out)
        assert (shown["state"], shown["decision_reason"]) == ("rejected", "wrong region")

    async def test_that_fails_ends_with_an_exit_code_and_the_reason(
        self, administrator: Commands, services: Services, caller: Caller
    ) -> None:
        module = await publish_module(services, caller, BROKEN)
        done = await administrator("run", "submit", module.source, module.version, "--name", "one", "--follow")
        assert done.code == 1
        assert "\nmain.tf:2: Reference to undeclared resource: " in done.err
        shown = (await administrator("run", "status", "one")).out
        assert "error       main.tf:2: Reference to undeclared resource: " in shown
        assert "next        groundwork run logs " in shown

    @staticmethod
    async def awaits_approval(run: str) -> None:
        """Follow the run until somebody has to decide."""

        def wait() -> None:
            with Api.of_caller() as api:
                news = follow(api, run)
                while next(news) != StateSeen("awaiting_approval", final=False):
                    pass

        await asyncio.to_thread(wait)
