"""Documents as the real OpenTofu reads them from archives as people publish them."""

from pathlib import Path

import pytest

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


async def read(tmp_path: Path, archive: bytes) -> Documents:
    file = tmp_path / "archive"
    file.write_bytes(archive)
    return await read_documents(file, find_tool("tofu"), ArchiveLimits())


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

    async def test_of_a_tool_that_never_ends_is_given_up(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(reading, "SECONDS", 0.2)
        slow = tmp_path / "slow"
        slow.write_text("#!/bin/sh\nexec sleep 60\n")
        slow.chmod(0o700)
        file = tmp_path / "archive"
        file.write_bytes(a_tar_gz({"main.tf": EMPTY}))
        with pytest.raises(DocumentsUnreadable, match="did not read the code within"):
            await read_documents(file, slow, ArchiveLimits())

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
