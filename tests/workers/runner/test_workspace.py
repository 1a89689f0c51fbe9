"""Step folders: what a module may bring, and what it may not."""

import json
import os
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from domain.errors import PlatformError
from domain.ids import new_id
from domain.provisioning.errors import ModuleRefused
from domain.provisioning.steps import StepJob
from integrations.archives.members import ArchiveLimits
from integrations.engines.engine import StepFolder
from tests.fixtures.archives import a_tar_gz, a_tar_gz_with, a_zip
from workers.runner.workspace import claim, lay_out, make_folder, remove_folder

NOBODY = 65534
Pack = Callable[[Mapping[str, str]], bytes]
LIMITS = ArchiveLimits(members=100, unpacked_bytes=1024 * 1024)


def a_job(folder: Path, archive: bytes, **fields: object) -> StepJob:
    step_id = new_id()
    (folder / "archive").write_bytes(archive)
    made = {
        **dict.fromkeys(("organization_id", "run_id", "step_id"), step_id),
        "phase": "plan",
        "operation": "apply",
        "engine": "terraform",
        "engine_path": "/usr/bin/terraform",
        "folder": folder / "work" / str(step_id),
        "module_archive": folder / "archive",
        "lease_started": 0,
    }
    return StepJob.model_validate(made | fields)


@contextmanager
def made(job: StepJob) -> Iterator[StepFolder]:
    """Make a job's folder, claimed, and remove it."""
    claimed, folder = make_folder(job), StepFolder(job.folder)
    try:
        yield folder
    finally:
        os.close(claimed)
        remove_folder(folder)


def laid_out(tmp_path: Path, archive: bytes, **fields: object) -> dict[str, str]:
    """Lay out a module; give the files of the root module."""
    job = a_job(tmp_path, archive, **fields)
    with made(job) as folder:
        lay_out(job, folder, LIMITS)
        files = sorted(path for path in folder.module.rglob("*") if path.is_file())
        return {str(path.relative_to(folder.module)): path.read_text() for path in files}


def as_nobody(do: Callable[[], object]) -> bool:
    """Do something in a process that modes of files hold back, as they don't root; tell whether it was done."""
    child = os.fork()
    if child == 0:
        try:
            if os.geteuid() == 0:
                os.setgid(NOBODY)
                os.setuid(NOBODY)
            do()
            os._exit(0)
        finally:
            os._exit(1)
    return os.waitpid(child, 0)[1] == 0


def a_link(kind: bytes, target: str) -> tarfile.TarInfo:
    info = tarfile.TarInfo("link")
    info.type, info.linkname = kind, target
    return info


class TestLayOut:
    @pytest.mark.parametrize("pack", [a_tar_gz, a_zip])
    def test_copies_the_module_and_adds_backend_and_inputs(
        self, tmp_path: Path, pack: Callable[[Mapping[str, str]], bytes]
    ) -> None:
        files = laid_out(tmp_path, pack({"main.tf": "# x", "modules/in/main.tf": "# y"}), inputs={"a": "é${x}"})
        assert set(files) == {
            *("main.tf", "modules/in/main.tf"),
            *("zz_groundwork_override.tf", "groundwork.auto.tfvars.json"),
        }
        assert json.loads(files["groundwork.auto.tfvars.json"]) == {"a": "é${x}"}
        assert 'backend "local"' in files["zz_groundwork_override.tf"]

    def test_leaves_out_the_values_of_the_modules_root_and_keeps_others(self, tmp_path: Path) -> None:
        names = ["terraform.tfvars", "terraform.tfvars.json", "a.auto.tfvars", "a.auto.tfvars.json"]
        files = laid_out(
            tmp_path, a_tar_gz(dict.fromkeys([*names, "examples/a/terraform.tfvars", "b.tfvars"], ""))
        )
        assert set(files) - {"zz_groundwork_override.tf", "groundwork.auto.tfvars.json"} == {
            *("examples/a/terraform.tfvars", "b.tfvars"),
        }

    @pytest.mark.parametrize(
        "name",
        [
            "zz_groundwork_override.tf",
            "zz_groundwork_override.tofu",
            "ZZ_groundwork_override.tf.json",
            "zzz_override.tf",
            "zz_groundwork_override_override.tofu.json",
            "terraform.tfstate",
            "terraform.tfstate.backup",
            "errored.tfstate",
            ".terraform.tfstate.lock.info",
        ],
    )
    def test_refuses_files_in_the_platforms_place(self, tmp_path: Path, name: str) -> None:
        with pytest.raises(ModuleRefused):
            laid_out(tmp_path, a_tar_gz({"main.tf": "", name: ""}))

    def test_takes_overrides_that_do_not_win(self, tmp_path: Path) -> None:
        files = laid_out(
            tmp_path, a_tar_gz({"override.tf": "", "a_override.tf": "", "modules/m/zzz_override.tf": ""})
        )
        assert "a_override.tf" in files

    @pytest.mark.parametrize(
        "archive",
        [
            a_tar_gz({"../main.tf": "x"}),
            a_tar_gz({"/etc/main.tf": "x"}),
            a_tar_gz({"main.tf": "x", "MAIN.tf": "y"}),
            a_tar_gz_with(a_link(tarfile.SYMTYPE, "/etc/passwd")),
            a_tar_gz_with(a_link(tarfile.LNKTYPE, "main.tf")),
            a_tar_gz_with(a_link(tarfile.CHRTYPE, "")),
            a_tar_gz_with(a_link(tarfile.FIFOTYPE, "")),
            a_tar_gz({"big": bytes(2 * 1024 * 1024)}),
            a_tar_gz({f"file-{number}": "" for number in range(101)}),
            a_zip({"../main.tf": "x"}),
            a_zip({"main.tf": "/etc/passwd"}, mode=0o120777),
            b"no archive",
            b"PK no archive either",
            a_tar_gz()[:-20],
        ],
    )
    def test_refuses_hostile_archives_and_writes_nothing_outside(self, tmp_path: Path, archive: bytes) -> None:
        with pytest.raises(PlatformError):
            laid_out(tmp_path, archive)
        assert sorted(path.name for path in tmp_path.iterdir()) == ["archive", "work"]

    def test_keeps_what_is_executable(self, tmp_path: Path) -> None:
        info = tarfile.TarInfo("run.sh")
        info.mode = 0o755
        job = a_job(tmp_path, a_tar_gz_with(info))
        with made(job) as folder:
            lay_out(job, folder, LIMITS)
            modes = {name: (folder.module / name).stat().st_mode & 0o111 for name in ("run.sh", "main.tf")}
        assert modes == {"run.sh": 0o111, "main.tf": 0}


class TestRemoveFolder:
    def test_takes_what_forbids_it_and_nothing_that_is_only_named(self) -> None:
        with tempfile.TemporaryDirectory() as top:  # everybody may go there, unlike to tmp_path
            Path(top).chmod(0o777)
            folder, outside = StepFolder(Path(top, "step")), Path(top, "outside")
            cache = folder.home / "go/pkg/mod"

            def fill() -> None:
                for inner in (outside, cache / "module", cache / "unreadable"):
                    inner.mkdir(parents=True)
                    (inner / "file").touch()
                    inner.chmod(0o500)
                (cache / "link").symlink_to(outside)
                (cache / "unreadable").chmod(0)
                cache.chmod(0o500)

            assert as_nobody(fill)
            assert as_nobody(lambda: remove_folder(folder))
            assert not folder.root.exists()
            assert (outside / "file").exists()
            assert outside.stat().st_mode & 0o777 == 0o500

    def test_takes_what_lies_very_deep(self, tmp_path: Path) -> None:
        folder = StepFolder(tmp_path / "step")
        subprocess.run(["mkdir", "-p", f"{folder.root}{'/a' * 1900}"], check=True)
        remove_folder(folder)
        assert not folder.root.exists()

    def test_takes_a_link_for_a_link(self, tmp_path: Path) -> None:
        folder, outside = StepFolder(tmp_path / "step"), tmp_path / "outside"
        outside.mkdir()
        folder.root.symlink_to(outside)
        remove_folder(folder)
        assert list(tmp_path.iterdir()) == [outside]

    def test_says_what_is_still_there(self) -> None:
        with tempfile.TemporaryDirectory() as top:
            folder = StepFolder(Path(top, "step"))
            folder.root.mkdir()
            assert not as_nobody(lambda: remove_folder(folder))


class TestMakeFolder:
    def test_is_nobody_elses(self, tmp_path: Path) -> None:
        with made(a_job(tmp_path, a_tar_gz())) as folder:
            assert folder.root.stat().st_mode & 0o777 == 0o700
            assert folder.temporary.stat().st_mode & 0o777 == 0o700
        assert not folder.temporary.exists()

    def test_is_made_once(self, tmp_path: Path) -> None:
        job = a_job(tmp_path, a_tar_gz())
        with made(job), pytest.raises(FileExistsError):
            make_folder(job)

    def test_is_claimed_by_one_until_that_one_is_gone(self, tmp_path: Path) -> None:
        job = a_job(tmp_path, a_tar_gz())
        with made(job) as folder:
            with pytest.raises(BlockingIOError):
                claim(folder.root)
            folder.root.rename(folder.root.with_suffix(".kept"))
        os.close(claim(folder.root.with_suffix(".kept")))
