"""What the command line tools are told of the registry."""

import asyncio
import json
import stat
import subprocess
from pathlib import Path

import pytest

from integrations.tools import find_tool
from tests.cli.client.commands import Commands
from tests.factories.organizations import Caller
from tests.fixtures.https import HOSTNAME, HttpsServer

pytestmark = pytest.mark.servers


class TestTerraformrc:
    async def test_is_printed_with_the_key_in_it(
        self, administrator: Commands, https: HttpsServer, caller: Caller
    ) -> None:
        done = await administrator("terraformrc")
        assert done.code == 0
        assert f'host "{HOSTNAME}"' in done.out
        assert f'"{https.url}/v1/modules/"' in done.out
        assert caller.key in done.out
        assert f"SSL_CERT_FILE={https.ca}" in done.err

    async def test_is_written_for_this_user_alone(
        self, administrator: Commands, caller: Caller, tmp_path: Path
    ) -> None:
        administrator.environment(HOME=tmp_path)
        done = await administrator("terraformrc", "--write")
        file = tmp_path / ".terraformrc"
        assert (done.code, done.out) == (0, f"wrote {file}\n")
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert caller.key in file.read_text()
        assert (await administrator("terraformrc", "--write")).code == 0

    @pytest.mark.parametrize("content", [b'plugin_cache_dir = "/cache"\n', b"\xff\xfe\x00"])
    async def test_leaves_a_file_alone_that_somebody_else_wrote(
        self, administrator: Commands, tmp_path: Path, content: bytes
    ) -> None:
        file = tmp_path / "my.rc"
        file.write_bytes(content)
        done = await administrator("terraformrc", "--write", "--file", file)
        assert done.code == 1
        assert f"{file} holds other settings" in done.err
        assert file.read_bytes() == content

    async def test_is_written_into_the_file_that_is_named(self, administrator: Commands, tmp_path: Path) -> None:
        done = await administrator("terraformrc", "--file", tmp_path / "t.rc")
        assert (done.code, done.out) == (0, f"wrote {tmp_path / 't.rc'}\n")
        assert stat.S_IMODE((tmp_path / "t.rc").stat().st_mode) == 0o600

    @pytest.mark.parametrize("words", [("--write", "--print"), ("--file", "t.rc", "--print")])
    async def test_can_not_be_written_and_printed_at_once(
        self, administrator: Commands, words: tuple[str, ...]
    ) -> None:
        assert (await administrator("terraformrc", *words)).code == 2

    async def test_gives_its_facts_as_json(self, administrator: Commands, tmp_path: Path) -> None:
        done = await administrator("terraformrc", "--write", "--file", tmp_path / "t.rc", "--json")
        assert json.loads(done.out) == {"hostname": HOSTNAME, "file": str(tmp_path / "t.rc")}

    @pytest.mark.parametrize("tool", ["terraform", "tofu"])
    async def test_is_what_the_real_tool_reads(
        self, administrator: Commands, https: HttpsServer, tmp_path: Path, tool: str
    ) -> None:
        await administrator("terraformrc", "--write", "--file", tmp_path / "t.rc")
        (tmp_path / "main.tf").write_text(
            f'module "x" {{\n  source = "{HOSTNAME}/nobodys/thing/local"\n  version = "1.0.0"\n}}\n'
        )
        environment = {
            "PATH": "/usr/bin:/bin",
            "HOME": str(tmp_path),
            "TF_CLI_CONFIG_FILE": str(tmp_path / "t.rc"),
            "SSL_CERT_FILE": str(https.ca),
            "CHECKPOINT_DISABLE": "1",
        }
        process = await asyncio.create_subprocess_exec(
            find_tool(tool),
            "init",
            "-no-color",
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        said, _ = await process.communicate()
        # The registry was found by name, believed its certificate, took the key, and knows no such module.
        assert "not found" in " ".join(said.decode().split())
        assert process.returncode == 1
