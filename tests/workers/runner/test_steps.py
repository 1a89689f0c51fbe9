"""Steps through real runners and real CLIs: plan, apply, destroy, and what they refuse."""

import json
from dataclasses import replace
from typing import Final

import pytest

from domain.deployments.sources import EngineName
from domain.provisioning.failures import ErrorClass
from domain.provisioning.steps import ExitClass, Sandbox, StepOperation, StepStage
from integrations.engines.engine import StepFolder
from tests.fixtures.archives import a_zip
from tests.workers.runner.conftest import FACTORY, Steps
from workers.runner.pool import RunnerPool
from workers.runner.workspace import remove_folder

pytestmark = pytest.mark.servers

A_MODULE: Final = {
    "main.tf": """
terraform {
  backend "s3" { bucket = "not-used" }
}
variable "name" { type = string }
variable "sizes" { type = list(number) }
variable "password" {
  type      = string
  sensitive = true
}
resource "terraform_data" "thing" {
  input = "${var.name}: ${join(",", var.sizes)}"
  provisioner "local-exec" { command = "env | sort; printf '%s\\n' \\"$TF_VAR_password\\"" }
}
output "made" { value = terraform_data.thing.output }
output "password" {
  value     = var.password
  sensitive = true
}
""",
    "terraform.tfvars": 'name = "of the module"\npassword = "of the module"\n',
    "other.auto.tfvars.json": '{"name": "of the module too"}',
}
INPUTS: Final = {"name": "${bob}", "sizes": [1, 2]}
PASSWORD: Final = 's3cr3t "quoted" + \\value'
WITH_PROVIDER: Final = {
    "main.tf": """
terraform {
  required_providers { time = { source = "registry.groundwork.test/hashicorp/time" } }
}
resource "time_sleep" "short" {
  count           = 2
  create_duration = "10ms"
}
"""
}
ENCRYPTION: Final = """
terraform {
  encryption {
    key_provider "pbkdf2" "key" { passphrase = "a passphrase of some length" }
    method "aes_gcm" "new" { keys = key_provider.pbkdf2.key }
    state { method = method.aes_gcm.new }
    plan { method = method.aes_gcm.new }
  }
}
"""
SIMPLE: Final = {"main.tf": 'output "greeting" {\n  value = "hello"\n}\n'}


class TestARun:
    async def test_plans_applies_and_destroys(self, steps: Steps) -> None:
        plan = steps.job(A_MODULE, inputs=INPUTS, secret_inputs={"password": PASSWORD}, show_plan=True)
        planned = await steps.run(plan)
        assert (planned.exit_class, planned.stored) == (ExitClass.SUCCEEDED, True)
        assert planned.changes is not None
        assert planned.changes.add == 1
        saved = steps.result(plan).plan
        assert saved is not None
        assert "terraform_data.thing will be created" in (saved.text or "")

        apply = steps.apply_of(plan)
        applied = await steps.run(apply)
        assert applied.exit_class is ExitClass.SUCCEEDED
        record, outputs = steps.record(apply), steps.result(apply).outputs
        assert (outputs["made"].value, outputs["made"].sensitive) == ("${bob}: 1,2", False)
        assert (outputs["password"].value, outputs["password"].sensitive) == (PASSWORD, True)
        assert json.loads(record.states[-1])["serial"] == applied.last_serial

        state = steps.folder / "state"
        state.write_bytes(record.states[-1])
        destroy_plan = steps.job(
            A_MODULE,
            operation=StepOperation.DESTROY,
            inputs=INPUTS,
            secret_inputs={"password": PASSWORD},
            state=state,
        )
        planned = await steps.run(destroy_plan)
        assert planned.changes is not None
        assert planned.changes.remove == 1
        destroy = steps.apply_of(destroy_plan)
        assert (await steps.run(destroy)).exit_class is ExitClass.SUCCEEDED
        assert json.loads(steps.record(destroy).states[-1])["resources"] == []

    async def test_leaves_no_secret_in_what_is_recorded_and_nothing_in_its_folder(self, steps: Steps) -> None:
        plan = steps.job(A_MODULE, inputs=INPUTS, secret_inputs={"password": PASSWORD}, show_plan=True)
        await steps.run(plan)
        apply = steps.apply_of(plan)
        outcome = await steps.run(apply)
        record = steps.record(apply)
        assert len(record.log) == outcome.log_end
        assert b"[redacted]" in record.log
        for shown in (record.log, steps.record(plan).log, outcome.model_dump_json().encode()):
            assert PASSWORD.encode() not in shown
            assert json.dumps(PASSWORD).encode()[1:-1] not in shown
        assert not plan.folder.exists()
        assert not apply.folder.exists()

    async def test_gives_the_cli_nothing_of_the_environment_around_it(self, steps: Steps) -> None:
        plan = steps.job(A_MODULE, inputs=INPUTS, secret_inputs={"password": PASSWORD})
        await steps.run(plan)
        apply = steps.apply_of(plan)
        await steps.run(apply)
        said = steps.record(apply).log
        assert b"callers-secret-value" not in said
        names = {
            event["hook"]["output"].partition("=")[0]
            for event in map(json.loads, filter(lambda line: line.startswith(b"{"), said.splitlines()))
            if event.get("type") == "provision_progress" and "=" in event["hook"]["output"]
        }
        assert names == {
            *("PATH", "HOME", "TMPDIR", "LANG", "PWD", "CHECKPOINT_DISABLE"),
            *("TF_CLI_CONFIG_FILE", "TF_DATA_DIR", "TF_IN_AUTOMATION", "TF_INPUT", "TF_VAR_password"),
        }

    async def test_uses_the_provider_that_the_plan_was_made_with(self, steps: Steps) -> None:
        plan = steps.job(WITH_PROVIDER)
        assert (await steps.run(plan)).exit_class is ExitClass.SUCCEEDED
        apply = steps.apply_of(plan)
        assert apply.lock_file is not None
        assert (await steps.run(apply)).exit_class is ExitClass.SUCCEEDED

        other = steps.apply_of(plan)
        assert other.lock_file is not None
        locked = other.lock_file.read_text()
        other.lock_file.write_text(locked.replace("0.14.2", "0.14.1"))
        refused = await steps.run(other)
        assert refused.exit_class is ExitClass.FAILED

    async def test_tells_how_far_it_is(self, steps: Steps) -> None:
        plan = steps.job({"main.tf": WITH_PROVIDER["main.tf"].replace("10ms", "700ms")})
        await steps.run(plan)
        steps.progress.clear()
        await steps.run(steps.apply_of(plan))
        assert {(p.stage, p.done, p.total) for p in steps.progress} >= {(StepStage.APPLYING, 0, 2)}

    async def test_refreshes(self, steps: Steps) -> None:
        first = steps.job(WITH_PROVIDER)
        await steps.run(first)
        made = steps.apply_of(first)
        await steps.run(made)
        state = steps.folder / "state"
        state.write_bytes(steps.record(made).states[-1])
        plan = steps.job(WITH_PROVIDER, operation=StepOperation.REFRESH, state=state)
        assert (await steps.run(plan)).exit_class is ExitClass.NO_CHANGES
        assert (await steps.run(steps.apply_of(plan))).exit_class is ExitClass.SUCCEEDED

    @pytest.mark.parametrize("steps", [EngineName.OPENTOFU], indirect=True)
    async def test_finds_outputs_in_a_state_that_the_module_has_encrypted(self, steps: Steps) -> None:
        plan = steps.job({"main.tf": SIMPLE["main.tf"], "encryption.tf": ENCRYPTION})
        await steps.run(plan)
        apply = steps.apply_of(plan)
        await steps.run(apply)
        assert b"hello" not in steps.record(apply).states[-1]
        assert steps.result(apply).outputs["greeting"].value == "hello"

    async def test_takes_a_zip_as_well(self, steps: Steps) -> None:
        outcome = await steps.run(steps.job(a_zip(SIMPLE)))
        assert outcome.exit_class is ExitClass.SUCCEEDED


class TestAPlan:
    async def test_without_changes_says_so(self, steps: Steps) -> None:
        plan = steps.job(WITH_PROVIDER)
        await steps.run(plan)
        apply = steps.apply_of(plan)
        await steps.run(apply)
        state = steps.folder / "state"
        state.write_bytes(steps.record(apply).states[-1])
        outcome = await steps.run(steps.job(WITH_PROVIDER, state=state))
        assert (outcome.exit_class, outcome.exit_code) == (ExitClass.NO_CHANGES, 0)

    async def test_of_a_module_that_wants_more_inputs_fails_for_its_configuration(self, steps: Steps) -> None:
        outcome = await steps.run(steps.job(A_MODULE, inputs={"sizes": []}, secret_inputs={"password": "p"}))
        assert outcome.exit_class is ExitClass.FAILED
        assert outcome.failure is not None
        assert outcome.failure.error_class is ErrorClass.CONFIG
        assert outcome.failure.message == "the module needs a value for name: give it with --input name=..."

    async def test_refuses_inputs_that_the_module_does_not_have(self, steps: Steps) -> None:
        inputs = {"one": 1, "two": 2, "three": 3, "four": 4}
        outcome = await steps.run(steps.job(SIMPLE, inputs=inputs, refuse_undeclared=True))
        assert outcome.failure is not None
        assert outcome.failure.error_class is ErrorClass.CONFIG
        assert outcome.failure.message == "the module has no variable four, one, three, two (it has none)"

    async def test_refuses_a_plain_input_whose_variable_is_sensitive(self, steps: Steps) -> None:
        inputs = INPUTS | {"password": PASSWORD}
        plan = steps.job(A_MODULE, inputs=inputs, refuse_undeclared=True, show_plan=True)
        outcome = await steps.run(plan)
        assert (outcome.exit_class, outcome.exposed_inputs) == (ExitClass.FAILED, ("password",))
        assert outcome.failure is not None
        assert "give it with --secret-input password" in outcome.failure.message
        assert steps.result(plan).plan is None
        named = steps.job(A_MODULE, inputs=INPUTS, secret_inputs={"password": PASSWORD}, refuse_undeclared=True)
        assert (await steps.run(named)).exit_class is ExitClass.SUCCEEDED

    async def test_drops_inputs_that_the_module_does_not_have(self, steps: Steps) -> None:
        outcome = await steps.run(steps.job(SIMPLE, inputs={"one": 1}))
        assert outcome.exit_class is ExitClass.SUCCEEDED


class TestAnApply:
    async def test_of_another_plan_than_was_approved_is_refused(self, steps: Steps) -> None:
        plan = steps.job(SIMPLE)
        await steps.run(plan)
        apply = steps.apply_of(plan).model_copy(update={"plan_sha256": "0" * 64})
        outcome = await steps.run(apply)
        assert outcome.failure is not None
        assert outcome.failure.message == "the saved plan is not the one that was approved"
        assert steps.record(apply).states == []

    async def test_of_a_stale_plan_is_told_apart(self, steps: Steps) -> None:
        first = steps.job(WITH_PROVIDER)
        await steps.run(first)
        apply = steps.apply_of(first)
        await steps.run(apply)
        state = steps.folder / "state"
        state.write_bytes(steps.record(apply).states[-1])
        outcome = await steps.run(steps.apply_of(first).model_copy(update={"state": state}))
        assert outcome.failure is not None
        assert outcome.failure.error_class is ErrorClass.PLAN_STALE


class TestALog:
    async def test_of_two_hundred_thousand_lines_is_kept_whole(self, steps: Steps) -> None:
        module = {
            "main.tf": 'resource "terraform_data" "loud" {\n'
            '  provisioner "local-exec" { command = "seq -f line-%.0f 200000" }\n}\n'
        }
        plan = steps.job(module)
        await steps.run(plan)
        apply = steps.apply_of(plan)
        outcome = await steps.run(apply)
        assert outcome.exit_class is ExitClass.SUCCEEDED
        log = steps.record(apply).log
        assert len(log) == outcome.log_end
        assert log.count(b"line-") >= 2 * 200_000  # each in a message and in its event


class TestARefusal:
    async def test_of_a_worker_without_the_sandbox_runs_nothing(self, steps: Steps) -> None:
        job = steps.job(SIMPLE, sandbox=Sandbox.BUBBLEWRAP)
        outcome = await steps.run(job)
        assert outcome.failure is not None
        assert "no bubblewrap sandbox" in outcome.failure.message
        assert steps.record(job).log == b""

    async def test_of_a_worker_without_the_cli_is_recorded(self, steps: Steps) -> None:
        job = steps.job(SIMPLE, engine_path=steps.folder / "nothing")
        outcome = await steps.run(job)
        assert outcome.failure is not None
        assert outcome.failure.error_class is ErrorClass.TRANSIENT_INFRA
        assert steps.result(job).outcome() == outcome

    async def test_of_an_archive_that_is_none_is_the_modules_fault(self, steps: Steps) -> None:
        job = steps.job(b"no archive")
        outcome = await steps.run(job)
        assert outcome.failure is not None
        assert outcome.failure.error_class is ErrorClass.CONFIG
        assert not job.folder.exists()

    async def test_of_a_secret_that_no_environment_can_hold(self, steps: Steps) -> None:
        outcome = await steps.run(steps.job(SIMPLE, secret_inputs={"long": "x" * 200_000}))
        assert outcome.failure is not None
        assert outcome.failure.message == "a secret input is too long for an environment"

    async def test_of_a_folder_that_another_attempt_left_touches_nothing_in_it(self, steps: Steps) -> None:
        job = steps.job(SIMPLE)
        job.folder.mkdir(parents=True)
        (job.folder / "terraform.tfstate").write_text("of another attempt")
        outcome = await steps.run(job)
        assert outcome.exit_class is ExitClass.FAILED
        assert (job.folder / "terraform.tfstate").read_text() == "of another attempt"


def spoiling(command: str) -> dict[str, str]:
    """Make a module whose code does something to the step's folder."""
    return {
        "main.tf": f'resource "terraform_data" "spoiler" {{\n  provisioner "local-exec" {{\n'
        f"    command = <<-EOT\n      {command}\n    EOT\n  }}\n}}\n"
    }


class TestTheLogOfARunner:
    async def test_shows_no_secret_when_a_step_breaks(
        self, steps: Steps, capfd: pytest.CaptureFixture[str]
    ) -> None:
        async with RunnerPool(FACTORY, slots=1) as pool:
            mine = replace(steps, pool=pool)
            await mine.run(mine.job(SIMPLE, secret_inputs={"long": "secret-value " * 20_000}))
        said = capfd.readouterr().err
        assert "step_failed" in said
        assert "Argument list too long" in said
        assert "secret-value" not in said


class TestAModuleThatSpoilsItsFolder:
    async def test_with_a_state_where_the_cli_puts_one_it_could_not_write_has_it_kept(self, steps: Steps) -> None:
        plan = steps.job(spoiling("""printf '{"serial":9}' > errored.tfstate"""))
        await steps.run(plan)
        apply = steps.apply_of(plan)
        await steps.run(apply)
        assert json.loads(steps.record(apply).states[-1]) == {"serial": 9}

    @pytest.mark.parametrize("name", ["errored.tfstate", "../log", "../terraform.tfstate"])
    async def test_with_links_gets_nothing_read_through_them(self, steps: Steps, name: str) -> None:
        outside = steps.folder / "outside"
        outside.write_text('{"serial": 1, "lineage": "of somebody else"}')
        plan = steps.job(spoiling(f"ln -sf {outside} {name}"))
        await steps.run(plan)
        apply = steps.apply_of(plan)
        await steps.run(apply)
        record = steps.record(apply)
        assert b"of somebody else" not in b"".join([record.log, *record.states])
        remove_folder(StepFolder(apply.folder))


class TestWhatCanNotBeStored:
    async def test_an_output_with_a_nul_is_kept_as_it_is(self, steps: Steps) -> None:
        plan = steps.job({"main.tf": 'output "o" {\n  value = { "a\\u0000b" = "c\\u0000d" }\n}\n'})
        await steps.run(plan)
        apply = steps.apply_of(plan)
        assert (await steps.run(apply)).exit_class is ExitClass.SUCCEEDED
        assert steps.result(apply).outputs["o"].value == {"a\0b": "c\0d"}

    async def test_an_output_of_more_digits_than_python_reads_is_kept_as_text(self, steps: Steps) -> None:
        plan = steps.job({"main.tf": 'output "o" {\n  value = 1e5000\n}\n'})
        await steps.run(plan)
        apply = steps.apply_of(plan)
        assert (await steps.run(apply)).exit_class is ExitClass.SUCCEEDED
        assert steps.result(apply).outputs["o"].value == "1" + 5000 * "0"
        assert len(steps.record(apply).states) == 1

    async def test_of_an_apply_its_outputs_leaves_an_apply_that_succeeded_and_says_why_it_has_none(
        self, steps: Steps
    ) -> None:
        plan = steps.job(SIMPLE)
        await steps.run(plan)
        apply = steps.apply_of(plan)
        steps.record(apply).answer_as("no-outputs")
        outcome = await steps.run(apply)
        result = steps.result(apply)
        assert (result.exit_class, result.outputs) == (ExitClass.SUCCEEDED, {})
        assert result.failure is not None
        assert "could not be stored: ValueError" in result.failure.message
        assert outcome.stored
        assert not apply.folder.exists()

    async def test_of_a_plan_phase_its_plan_fails_it(self, steps: Steps) -> None:
        plan = steps.job(SIMPLE)
        steps.record(plan).answer_as("no-plan")
        await steps.run(plan)
        result = steps.result(plan)
        assert (result.exit_class, result.plan) == (ExitClass.FAILED, None)

    async def test_of_an_apply_a_state_of_no_bounds_is_told_and_not_read(self, steps: Steps) -> None:
        command = 'provisioner "local-exec" {\n    command = "truncate -s 50G errored.tfstate"\n  }'
        plan = steps.job({"main.tf": f'resource "terraform_data" "a" {{\n  {command}\n}}\n'})
        await steps.run(plan)
        apply = steps.apply_of(plan)
        await steps.run(apply)
        result = steps.result(apply)
        assert result.exit_class is ExitClass.LOST_LEASE
        assert result.failure is not None
        assert "the file has 53687091200 bytes" in result.failure.message
        remove_folder(StepFolder(apply.folder))

    async def test_of_an_apply_its_state_is_for_a_person_to_see_to_and_stays_in_the_folder(
        self, steps: Steps
    ) -> None:
        plan = steps.job(SIMPLE)
        await steps.run(plan)
        apply = steps.apply_of(plan)
        steps.record(apply).answer_as("no-state")
        outcome = await steps.run(apply)
        result = steps.result(apply)
        assert (result.exit_class, outcome.stored) == (ExitClass.LOST_LEASE, False)
        assert result.failure is not None
        assert "state could not be stored" in result.failure.message
        folder = StepFolder(apply.folder)
        assert json.loads(folder.state.read_bytes())["outputs"]["greeting"]["value"] == "hello"
        remove_folder(folder)
