"""Folders as archives."""

import gzip
import io
import os
import re
import tarfile
from pathlib import Path

import pytest

from cli.client.errors import FileUnusable
from cli.client.packing import pack_module, survey_module
from domain.identity.keys import KeyKind, new_token
from integrations.archives.members import ArchiveLimits
from integrations.archives.module import check_module


@pytest.fixture
def module(tmp_path: Path) -> Path:
    directory = tmp_path / "network"
    (directory / "modules" / "subnet").mkdir(parents=True)
    (directory / "main.tf").write_text('module "subnet" {\n  source = "./modules/subnet"\n}\n')
    (directory / "modules" / "subnet" / "main.tf").write_text("# nothing\n")
    return directory


def packed(directory: Path) -> bytes:
    target = io.BytesIO()
    pack_module(survey_module(directory), target, most=1 << 20)
    return target.getvalue()


def names(directory: Path) -> list[str]:
    with tarfile.open(fileobj=io.BytesIO(packed(directory))) as archive:
        return archive.getnames()


class TestSurveyModule:
    def test_counts_files_and_their_bytes(self, module: Path) -> None:
        found = survey_module(module)
        assert (len(found.files), found.size, found.left_out) == (2, 60, ())

    def test_leaves_out_what_may_hold_secrets_and_says_so(self, module: Path) -> None:
        for name in ("terraform.rc", ".terraformrc", ".env", "a.tfvars", "b.auto.tfvars.json", "my.tfrc"):
            (module / name).write_text("secret")
        (module / ".github").mkdir()
        (module / ".github" / "deploy.yml").write_text("")
        (module / ".git").mkdir()
        (module / ".terraform.lock.hcl").write_text("")
        found = survey_module(module)
        assert set(map(str, found.files)) == {".terraform.lock.hcl", "main.tf", "modules/subnet/main.tf"}
        assert found.left_out == (
            ".env",
            ".github/",
            ".terraformrc",
            "a.tfvars",
            "b.auto.tfvars.json",
            "my.tfrc",
            "terraform.rc",
        )

    def test_refuses_a_folder_without_configuration_of_its_own(self, tmp_path: Path) -> None:
        (tmp_path / "README.md").write_text("# Modules\n")
        with pytest.raises(FileUnusable, match=r"is no module, .*: name the folder that holds them"):
            survey_module(tmp_path)

    @pytest.mark.parametrize("name", ["main.tf", "main.tf.json", "main.tofu"])
    def test_names_the_folders_that_have_some(self, tmp_path: Path, name: str) -> None:
        for folder in ("network", "work/dns", ".cache"):
            (tmp_path / folder).mkdir(parents=True)
            (tmp_path / folder / name).write_text("")
        with pytest.raises(FileUnusable, match=f"did you mean {tmp_path}/network, {tmp_path}/work/dns\\?"):
            survey_module(tmp_path)

    def test_stops_at_more_files_than_the_registry_takes(self, module: Path) -> None:
        (module / "many").mkdir()
        for number in range(ArchiveLimits().members):
            (module / "many" / str(number)).touch()
        with pytest.raises(FileUnusable, match="more than the 10000 files"):
            survey_module(module)

    def test_stops_at_more_bytes_than_the_registry_takes_without_reading_them(self, module: Path) -> None:
        with (module / "disk.img").open("wb") as file:
            file.truncate(ArchiveLimits().unpacked_bytes + 1)
        with pytest.raises(FileUnusable, match="bytes that a module may have"):
            survey_module(module)


class TestPackModule:
    def test_stops_when_the_archive_gets_too_large(self, module: Path) -> None:
        (module / "noise").write_bytes(os.urandom(100_000))
        with pytest.raises(FileUnusable, match="packs to more than the 50000 bytes"):
            pack_module(survey_module(module), io.BytesIO(), most=50_000)

    @pytest.mark.parametrize("before", [0, 16 * 1024 - 30, 300_000])
    def test_refuses_an_api_key_wherever_it_stands(self, module: Path, before: int) -> None:
        token = new_token(KeyKind.PERSONAL)
        (module / "notes.txt").write_text(f"{'x' * before} {token.text}\n")
        sentence = re.escape(f"notes.txt contains the API key gwk_pat_{token.kid}_...")
        with pytest.raises(FileUnusable, match=sentence) as refused:
            packed(module)
        assert token.text not in str(refused.value)

    def test_takes_what_only_looks_like_a_key(self, module: Path) -> None:
        (module / "notes.txt").write_text(f"gwk_pat_0123456789_{'0' * 49}")
        assert "notes.txt" in names(module)

    def test_gives_the_same_bytes_whenever_and_by_whomever_it_is_packed(self, module: Path) -> None:
        first = packed(module)
        for file in sorted(module.rglob("*"), reverse=True):
            os.utime(file, (1, 1))
            file.chmod(0o700 if file.is_dir() else 0o600)
        assert packed(module) == first

    def test_makes_what_the_registry_takes(self, module: Path, tmp_path: Path) -> None:
        archive = tmp_path / "module.tar.gz"
        archive.write_bytes(packed(module))
        assert check_module(archive, ArchiveLimits()).value == "tar.gz"

    def test_keeps_whether_a_file_is_executable_and_nothing_else_of_its_mode(self, module: Path) -> None:
        (module / "run.sh").write_text("#!/bin/sh\n")
        (module / "run.sh").chmod(0o4711)
        with tarfile.open(fileobj=io.BytesIO(packed(module))) as archive:
            assert {member.name: (member.mode, member.uid, member.mtime) for member in archive} == {
                "main.tf": (0o644, 0, 0),
                "modules/subnet/main.tf": (0o644, 0, 0),
                "run.sh": (0o755, 0, 0),
            }

    def test_says_nothing_of_where_and_when_in_the_gzip_header(self, module: Path) -> None:
        header = packed(module)[:10]
        assert header[3] == 0  # no file name, no comment
        assert header[4:8] == bytes(4)
        gzip.decompress(packed(module))

    def test_leaves_out_states_and_the_working_folder_of_the_tools(self, module: Path) -> None:
        (module / "terraform.tfstate").write_text("{}")
        (module / "terraform.tfstate.backup").write_text("{}")
        for folder in (".terraform", ".git", "modules/subnet/.terraform"):
            (module / folder).mkdir()
            (module / folder / "secret").write_text("x")
        assert names(module) == ["main.tf", "modules/subnet/main.tf"]

    def test_leaves_out_what_the_ignore_file_names(self, module: Path) -> None:
        (module / ".terraformignore").write_text("# local\n*.tfvars\n!example.tfvars\n/modules/subnet/\n")
        for name in ("my.tfvars", "example.tfvars"):
            (module / name).write_text("")
        assert names(module) == ["example.tfvars", "main.tf"]

    def test_takes_in_a_file_that_is_always_left_out_when_the_ignore_file_says_so(self, module: Path) -> None:
        (module / ".terraformignore").write_text("!fixture.tfstate\n")
        (module / "fixture.tfstate").write_text("{}")
        assert "fixture.tfstate" in names(module)

    @pytest.mark.parametrize("target", ["main.tf", "modules", "/etc/passwd", "nowhere"])
    def test_refuses_links(self, module: Path, target: str) -> None:
        (module / "link").symlink_to(target)
        with pytest.raises(FileUnusable, match="link is a link"):
            packed(module)

    def test_packs_a_folder_with_a_link_that_is_ignored(self, module: Path) -> None:
        (module / ".terraformignore").write_text("link\n")
        (module / "link").symlink_to("/etc/passwd")
        assert "link" not in names(module)

    def test_refuses_what_is_neither_file_nor_folder(self, module: Path) -> None:
        os.mkfifo(module / "pipe")
        with pytest.raises(FileUnusable, match="pipe is no plain file"):
            packed(module)

    def test_refuses_a_path_that_the_archive_has_no_room_for(self, module: Path) -> None:
        (module / ("n" * 120)).write_text("")
        with pytest.raises(FileUnusable, match="can't be packed"):
            packed(module)
