"""Documents as the real OpenTofu reads them from archives as people publish them."""

import asyncio
import json
import time
from pathlib import Path

import psutil
import pytest

from domain.errors import ToolMissing
from domain.registry.documents import Documents
from domain.registry.errors import DocumentsUnreadable
from integrations.archives.members import ArchiveLimits
from integrations.documents import layout, reading
from integrations.documents.reading import read_documents
from integrations.tools import find_tool
from tests.fixtures.archives import a_tar_gz, a_zip

MAIN = """
terraform {
  required_providers {
    aws  = { source = "hashicorp/aws", version = ">= 5.0, < 7.0" }
    time = { source = "registry.example.com/acme/time", version = "~> 0.9" }
  }
}
variable "name" {
  description = "Of the network."
  type        = string
}
variable "zones" {
  type    = list(string)
  default = ["a", "b"]
}
resource "aws_vpc" "this" {
  cidr_block = "10.0.0.0/16"
}
data "aws_region" "here" {}
module "inner" {
  source = "./modules/inner"
}
module "peer" {
  source  = "registry.example.com/acme/peer/aws"
  version = "~> 1.0"
}
output "id" {
  description = "Of the network."
  value       = aws_vpc.this.id
}
"""
MODULE = {
    "main.tf": MAIN,
    "README.md": "# Network\n",
    "modules/inner/main.tf": 'variable "size" {\n  type = number\n}\n',
    "modules/inner/README.md": "# Inner\n",
    "examples/basic/main.tf": 'module "network" {\n  source = "../.."\n  name   = "a"\n}\n',
    "tests/fixtures/main.tf": "this is { no code",
}
EMPTY = "# nothing yet\n"


def calls(source: str) -> str:
    """Write code that calls a module whose source is what an expression gives."""
    return f'module "x" {{\n  source = "./${{{source}}}"\n}}\n'


async def read(tmp_path: Path, archive: bytes) -> Documents:
    file = tmp_path / "archive"
    file.write_bytes(archive)
    return await read_documents(file, find_tool("tofu"), ArchiveLimits())


def commands() -> list[list[str]]:
    return [process.info["cmdline"] or [] for process in psutil.process_iter(["cmdline"])]


class TestReadDocuments:
    @pytest.mark.parametrize("pack", [a_tar_gz, a_zip])
    async def test_finds_what_each_part_declares(self, tmp_path: Path, pack: object) -> None:
        assert callable(pack)
        found = await read(tmp_path, pack(MODULE))
        root = found.root
        assert (root.path, root.readme, root.empty) == ("", "# Network\n", False)
        assert [(each.name, each.type, each.default, each.required) for each in root.inputs] == [
            ("name", "string", None, True),
            ("zones", "list(string)", '["a", "b"]', False),
        ]
        assert [(each.name, each.description) for each in root.outputs] == [("id", "Of the network.")]
        assert [(each.mode, each.type, each.name) for each in root.resources] == [
            ("managed", "aws_vpc", "this"),
            ("data", "aws_region", "here"),
        ]
        assert [(each.name, each.source, each.version) for each in root.dependencies] == [
            ("inner", "./modules/inner", ""),
            ("peer", "registry.example.com/acme/peer/aws", "~> 1.0"),
        ]
        assert {(each.namespace, each.source, each.version) for each in root.provider_dependencies} == {
            ("hashicorp", "hashicorp/aws", ">= 5.0.0, < 7.0.0"),
            ("acme", "registry.example.com/acme/time", "~> 0.9"),
        }
        [inner], [basic] = found.submodules, found.examples
        assert (inner.path, inner.name, inner.readme) == ("modules/inner", "inner", "# Inner\n")
        assert [each.name for each in inner.inputs] == ["size"]
        assert (basic.path, [each.source for each in basic.dependencies]) == ("examples/basic", ["../.."])

    async def test_of_code_that_is_none_says_where_it_is_wrong(self, tmp_path: Path) -> None:
        with pytest.raises(DocumentsUnreadable, match=r"Unclosed configuration block on main\.tf line 1"):
            await read(tmp_path, a_tar_gz({"main.tf": 'variable "x" {'}))

    async def test_a_bad_part_leaves_the_others_readable(self, tmp_path: Path) -> None:
        found = await read(
            tmp_path, a_tar_gz({"main.tf": EMPTY, "examples/bad/main.tf": "}", "modules/a/a.tf": EMPTY})
        )
        assert (found.root.empty, found.submodules[0].unreadable) == (True, None)
        assert "examples/bad/main.tf line 1" in (found.examples[0].unreadable or "")

    @pytest.mark.parametrize("path", ["{}/key", "/proc/self/environ", "/etc/passwd", "/usr/lib/os-release"])
    async def test_code_that_reads_files_of_this_machine_is_refused_them(self, tmp_path: Path, path: str) -> None:
        (tmp_path / "key").write_text("of the installation")
        with pytest.raises(DocumentsUnreadable, match="permission denied") as caught:
            await read(tmp_path, a_tar_gz({"main.tf": calls(f'base64encode(file("{path.format(tmp_path)}"))')}))
        assert "of the installation" not in str(caught.value)

    async def test_code_that_lists_folders_of_this_machine_finds_them_empty(self, tmp_path: Path) -> None:
        found = await read(tmp_path, a_tar_gz({"main.tf": calls(f'join("-", fileset("{tmp_path}", "**"))')}))
        assert [each.source for each in found.root.dependencies] == ["./"]

    async def test_where_it_can_not_be_confined_nothing_is_read(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(reading, "_READABLE", ("/nowhere",))
        with pytest.raises(ToolMissing, match="can't be confined"):
            await read(tmp_path, a_tar_gz({"main.tf": EMPTY}))

    async def test_of_a_tool_that_can_not_be_started_says_so(self, tmp_path: Path) -> None:
        (tmp_path / "archive").write_bytes(a_tar_gz({"main.tf": EMPTY}))
        (tmp_path / "tofu").write_text("no program")
        with pytest.raises(ToolMissing, match="Permission denied"):
            await read_documents(tmp_path / "archive", tmp_path / "tofu", ArchiveLimits())

    @pytest.mark.parametrize(
        ("limit", "reason"), [("SECONDS", "did not read the code within"), ("_LIMITS", "was ended")]
    )
    async def test_code_that_never_ends_is_given_up(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, reason: str
    ) -> None:
        if limit == "SECONDS":
            monkeypatch.setattr(reading, "SECONDS", 0.3)
        else:
            limits = json.dumps({"RLIMIT_CPU": 1})
            monkeypatch.setattr(reading, "_CONFINED", (*reading._CONFINED[:-1], limits))
        long = 'join("", [for a in range(1024): join("", [for b in range(1024): join("", range(1024))])])'
        with pytest.raises(DocumentsUnreadable, match=reason):
            await read(tmp_path, a_tar_gz({"main.tf": calls(long)}))

    @pytest.mark.parametrize("ends", ["exit 1", "wait"])
    async def test_nothing_that_the_tool_started_outlives_it(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ends: str
    ) -> None:
        monkeypatch.setattr(reading, "_READABLE", ("/dev/null", "/bin", "/lib", "/usr", "/lib64"))
        monkeypatch.setattr(reading, "SECONDS", 1)
        (tmp_path / "archive").write_bytes(a_tar_gz({"main.tf": EMPTY}))
        tool = tmp_path / "tofu"
        seconds = f"300.{time.time_ns()}"
        tool.write_text(f"#!/bin/sh\nsleep {seconds} &\n{ends}\n")
        tool.chmod(0o700)
        with pytest.raises(DocumentsUnreadable):
            await read_documents(tmp_path / "archive", tool, ArchiveLimits())
        async with asyncio.timeout(10):
            while any(seconds in command for command in commands()):  # noqa: ASYNC110  the kernel ends them
                await asyncio.sleep(0.01)

    async def test_of_a_tool_that_says_too_much_is_given_up(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(reading, "LARGEST_ANSWER", 1000)
        with pytest.raises(DocumentsUnreadable, match="more than can be shown"):
            await read(
                tmp_path,
                a_tar_gz(
                    {"main.tf": f'output "x" {{\n  value = "{"y" * 10}"\n  description = "{"z" * 2000}"\n}}\n'}
                ),
            )

    @pytest.mark.parametrize(
        "files",
        [
            {"main.tf": EMPTY} | {f"modules/m{number}/a.tf": EMPTY for number in range(layout.MOST_PARTS)},
            {"main.tf": EMPTY, "large.tf": "#" * (layout.LARGEST_FILE + 1)},
        ],
        ids=["parts", "file"],
    )
    async def test_of_more_code_than_is_read_says_so(self, tmp_path: Path, files: dict[str, str]) -> None:
        with pytest.raises(DocumentsUnreadable, match="only 100 folders"):
            await read(tmp_path, a_tar_gz(files))

    async def test_a_long_readme_is_cut(self, tmp_path: Path) -> None:
        found = await read(tmp_path, a_tar_gz({"main.tf": EMPTY, "README.md": "é" * layout.LARGEST_README}))
        assert len(found.root.readme.encode()) <= layout.LARGEST_README + 2

    async def test_of_many_readmes_those_of_the_first_parts_are_kept_and_that_of_the_root(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(layout, "LARGEST_READMES", 10)
        parts = {f"modules/{name}/{file}": EMPTY for name in "abc" for file in ("main.tf", "README.md")}
        found = await read(tmp_path, a_tar_gz(parts | {"main.tf": EMPTY, "README.md": "# Root"}))
        assert [part.readme for part in (found.root, *found.submodules)] == ["# Root", EMPTY, "", ""]

    async def test_of_parts_that_declare_too_much_together_the_last_are_left_out(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        code = f'output "x" {{\n  value = 1\n  description = "{"z" * 1_000}"\n}}\n'
        monkeypatch.setattr(reading, "LARGEST_ANSWER", 3_000)
        found = await read(tmp_path, a_tar_gz({"main.tf": code, "modules/a/a.tf": code, "modules/b/b.tf": code}))
        parts = (found.root, *found.submodules)
        assert [len(part.outputs) for part in parts] == [1, 1, 0]
        assert parts[2].unreadable == "the module declares more than can be shown"

    async def test_of_text_that_no_database_takes_can_be_stored(self, tmp_path: Path) -> None:
        code = 'variable "x" {\n  description = "a\\u0000b"\n}\nmodule "m" {\n  source = "./a\\u0000"\n}\n'
        found = await read(tmp_path, a_tar_gz({"main.tf": code, "README.md": "a\0b"}))
        assert found.root.inputs[0].description == found.root.readme == "a\ufffdb"
        assert "\\u0000" not in found.model_dump_json()
