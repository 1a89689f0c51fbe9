"""What the engines ask of the real CLIs, and what of the caller they keep from them."""

import asyncio
import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from domain.deployments.sources import EngineName
from domain.provisioning.errors import EngineUnusable
from domain.provisioning.steps import StepOperation
from integrations.engines.command_line import CommandLine
from integrations.engines.engine import StepFolder
from integrations.engines.terraform import TerraformEngine, open_engine
from integrations.engines.values import as_variable
from integrations.tools import find_tool

NAMES = {EngineName.TERRAFORM: "terraform", EngineName.OPENTOFU: "tofu"}
FOLDER = StepFolder(Path("/runs/a folder"))


def an_engine(version: str = "1.11.4", name: EngineName = EngineName.TERRAFORM) -> TerraformEngine:
    return TerraformEngine(name, Path("/usr/bin/terraform"), version)


class TestArguments:
    def test_plan_saves_the_plan_and_says_if_there_are_changes(self) -> None:
        assert an_engine().plan(FOLDER, StepOperation.APPLY) == (
            "/usr/bin/terraform",
            "-chdir=/runs/a folder/module",
            "plan",
            "-input=false",
            "-no-color",
            "-json",
            "-detailed-exitcode",
            "-out=/runs/a folder/tfplan",
        )

    @pytest.mark.parametrize(
        ("operation", "flag"), [(StepOperation.DESTROY, "-destroy"), (StepOperation.REFRESH, "-refresh-only")]
    )
    def test_destroy_and_refresh_are_plans(self, operation: StepOperation, flag: str) -> None:
        assert flag in an_engine().plan(FOLDER, operation)

    def test_apply_takes_the_saved_plan_and_nothing_else(self) -> None:
        arguments = an_engine().apply(FOLDER)
        assert arguments[2:] == ("apply", "-input=false", "-no-color", "-json", "/runs/a folder/tfplan")

    def test_init_of_an_apply_changes_no_lock(self) -> None:
        assert "-lockfile=readonly" in an_engine().init(FOLDER, apply=True)
        assert "-lockfile=readonly" not in an_engine().init(FOLDER, apply=False)

    @pytest.mark.parametrize(
        ("name", "version", "speaks"),
        [
            (EngineName.TERRAFORM, "1.5.7", False),
            (EngineName.TERRAFORM, "1.9.0", True),
            (EngineName.TERRAFORM, "1.15.0-dev", True),
            (EngineName.OPENTOFU, "1.12.6", True),
        ],
    )
    def test_init_speaks_json_where_it_can(self, name: EngineName, version: str, *, speaks: bool) -> None:
        assert ("-json" in an_engine(version, name).init(FOLDER, apply=False)) is speaks


class TestCommandLine:
    def test_runs_nothing(self) -> None:
        with pytest.raises(RuntimeError):
            CommandLine(Path("/usr/bin/terraform")).cmd("apply")

    def test_a_wrong_name_is_no_subcommand(self) -> None:
        with pytest.raises(AttributeError):
            _ = CommandLine(Path("/usr/bin/terraform")).aply

    def test_reads_no_state_of_the_folder_it_is_made_in(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "terraform.tfstate").write_text("no JSON")
        monkeypatch.chdir(tmp_path)
        CommandLine(Path("/usr/bin/terraform"))


class TestEnvironment:
    def test_is_exactly_the_list(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("TF_CLI_ARGS", "-destroy")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "the caller's")
        environment = an_engine().environment(
            FOLDER,
            {"password": "p", "sizes": [1]},
            ca_certificate=Path("/ca.pem"),
        )
        assert environment == {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": "/runs/a folder/home",
            "TMPDIR": str(FOLDER.temporary),
            "LANG": "C.UTF-8",
            "TF_CLI_CONFIG_FILE": "/runs/a folder/terraformrc",
            "TF_DATA_DIR": "/runs/a folder/data",
            "TF_IN_AUTOMATION": "1",
            "TF_INPUT": "0",
            "CHECKPOINT_DISABLE": "1",
            "SSL_CERT_FILE": "/ca.pem",
            "TF_VAR_password": "p",
            "TF_VAR_sizes": "[1]",
        }


class TestVariables:
    @given(
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
            max_leaves=8,
        ).filter(lambda value: not isinstance(value, str))
    )
    def test_have_no_open_template(self, value: JsonValue) -> None:
        written = as_variable(value)
        assert "${" not in written.replace("$${", "")
        assert "%{" not in written.replace("%%{", "")
        assert "\n" not in written

    @pytest.mark.servers
    @pytest.mark.parametrize("name", list(NAMES))
    async def test_are_read_by_the_cli_as_they_were(self, name: EngineName, tmp_path: Path) -> None:
        value: JsonValue = {"k ${x}": ['a${b}%{if}"\\\n\b\x7fé😀$', 1.5, None, True]}
        (tmp_path / "main.tf").write_text(
            'variable "deep" { type = any }\nvariable "text" { type = string }\n'
            'output "deep" { value = var.deep }\noutput "text" { value = var.text }\n'
        )
        process = await asyncio.create_subprocess_exec(
            *(find_tool(NAMES[name]), "apply", "-auto-approve", "-input=false", "-json"),
            cwd=tmp_path,
            env={
                "HOME": str(tmp_path),
                "PATH": os.environ["PATH"],
                "TF_VAR_deep": as_variable(value),
                "TF_VAR_text": as_variable('${bob} "x"'),
            },
            stdout=asyncio.subprocess.PIPE,
        )
        said, _ = await process.communicate()
        outputs = json.loads(said.splitlines()[-1])["outputs"]
        assert outputs["deep"]["value"] == value
        assert outputs["text"]["value"] == '${bob} "x"'


class TestOpenEngine:
    @pytest.mark.servers
    @pytest.mark.parametrize("name", list(NAMES))
    async def test_asks_the_cli_for_its_version(self, name: EngineName) -> None:
        engine = await open_engine(name, find_tool(NAMES[name]))
        assert int(engine.version.split(".")[0]) >= 1

    @pytest.mark.parametrize("content", [None, "#!/bin/sh\nexit 1\n", "#!/bin/sh\necho '{}'\n", "no program"])
    async def test_what_is_no_cli_is_unusable(self, tmp_path: Path, content: str | None) -> None:
        path = tmp_path / "terraform"
        if content is not None:
            path.write_text(content)
            path.chmod(0o755)
        with pytest.raises(EngineUnusable):
            await open_engine(EngineName.TERRAFORM, path)
