"""Lays out a step's folder: the module as root module, and beside it what the CLI has to find."""

import errno
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from domain.provisioning.errors import ModuleRefused, PlanAltered
from domain.provisioning.steps import StepJob, StepPhase
from integrations.archives.members import ArchiveLimits, Member
from integrations.archives.tarball import iterate_tarball
from integrations.archives.zipball import iterate_zipball
from integrations.engines.engine import StepFolder

OVERRIDE: Final = "zz_groundwork_override"
INPUTS: Final = "groundwork.auto.tfvars.json"
_ZIP_MARK: Final = b"PK"
# Relative, because a saved plan remembers it and the apply may be done in another folder.
_BACKEND: Final = 'terraform {\n  backend "local" {\n    path = "../terraform.tfstate"\n  }\n}\n'
_CODE: Final = (".tf", ".tf.json", ".tofu", ".tofu.json")
_VALUES: Final = (".auto.tfvars", ".auto.tfvars.json")
_DEFAULT_VALUES: Final = frozenset({"terraform.tfvars", "terraform.tfvars.json"})
_STATES: Final = ("terraform.tfstate", "errored.tfstate", ".terraform.tfstate")


def make_folder(job: StepJob) -> int:
    """Make the step's folder, readable to nobody else. Its name says whose it is: code of a module writes in it.

    Returns:
        The claim on it, see `claim`.

    Raises:
        FileExistsError: a step has one folder, and this one has been begun before.
        OSError: it can't be made.
    """
    folder = StepFolder(job.folder)
    folder.root.parent.mkdir(parents=True, exist_ok=True)
    folder.root.mkdir(mode=0o700)
    claimed = claim(folder.root, wait=True)  # whoever looks for leftovers lets a new folder go at once
    folder.temporary.mkdir(mode=0o700)
    return claimed


def claim(root: Path, *, wait: bool = False) -> int:
    """Say that somebody works in a folder, for as long as the handle is open: a process that is killed closes it.

    Args:
        root: the folder.
        wait: until nobody else does.

    Raises:
        BlockingIOError: somebody else does.
        OSError: it is gone, or is no folder.
    """
    handle = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:
        os.close(handle)
        raise
    return handle


def remove_folder(folder: StepFolder) -> None:
    """Remove all that a step has on disk, the step's own folder last; what is gone already is no news.

    Raises:
        OSError: something is still there.
    """
    for made in (folder.temporary, folder.root):
        if made.is_symlink():
            made.unlink()
            continue
        try:
            shutil.rmtree(made)
        except FileNotFoundError:
            continue
        except (OSError, RecursionError):
            _remove_by_force(made)


def _remove_by_force(top: Path) -> None:
    """Remove what is protected from it, as Go's module cache is, or lies deeper than Python goes."""
    for command in (["chmod", "-R", "u+rwX"], ["rm", "-rf"]):
        done = subprocess.run([*command, "--", top], check=False, capture_output=True, text=True)
    if done.returncode:
        raise OSError(errno.ENOTEMPTY, done.stderr.strip().rpartition("\n")[2], str(top))


def lay_out(job: StepJob, folder: StepFolder, limits: ArchiveLimits) -> None:
    """Fill the folder: module, override, inputs or plan, state, CLI configuration.

    Secret inputs are not written: the CLI gets them by its environment.

    Raises:
        ModuleRefused, PlanAltered, and what reading an archive raises.
        OSError: a file could not be read or written.
    """
    for made in (folder.module, folder.data, folder.home):
        made.mkdir()
    _copy_module(job.module_archive, folder.module, limits)
    (folder.module / f"{OVERRIDE}.tf").write_text(_BACKEND)
    folder.configuration.write_text(job.terraformrc)
    if job.state is not None:
        shutil.copyfile(job.state, folder.state)
    if job.lock_file is not None:
        shutil.copyfile(job.lock_file, folder.lock_file)
    if job.phase is StepPhase.APPLY:
        _copy_plan(job, folder)
    else:
        # The saved plan holds the values, so an apply is given none that could differ.
        (folder.module / INPUTS).write_text(json.dumps(job.inputs), encoding="utf-8")


def _copy_plan(job: StepJob, folder: StepFolder) -> None:
    if job.plan is None:
        raise PlanAltered("the saved plan is missing")
    content = job.plan.read_bytes()
    if hashlib.sha256(content).hexdigest() != job.plan_sha256:
        raise PlanAltered("the saved plan is not the one that was approved")
    folder.plan.write_bytes(content)


def _copy_module(archive: Path, target: Path, limits: ArchiveLimits) -> None:
    for member in _members(archive, limits):
        if "/" not in member.path and _is_left_out(member.path):
            continue
        path = target / member.path
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as file:
            file.writelines(member.content)
        if member.executable:
            path.chmod(0o755)


def _members(archive: Path, limits: ArchiveLimits) -> Iterator[Member]:
    with archive.open("rb") as file:
        is_zip = file.read(len(_ZIP_MARK)) == _ZIP_MARK
    return iterate_zipball(archive, limits) if is_zip else iterate_tarball(archive, limits)


def _is_left_out(name: str) -> bool:
    """Tell whether a file of the module's root has no meaning for a module that is used.

    Nobody who calls a module reads the values that lie in its folder; as root module the CLI would, and would
    prefer them to the caller's.

    Raises:
        ModuleRefused: it would take the place of one of the platform's files.
    """
    if name.startswith(_STATES):
        raise ModuleRefused("the module contains a state; publish it without", path=name)
    stem = next((name.removesuffix(end) for end in _CODE if name.endswith(end)), None)
    if stem is not None and stem.casefold() == OVERRIDE:
        raise ModuleRefused("the module contains a file of a reserved name", path=name)
    # Later overrides win, and none may win over where the state is kept.
    if stem is not None and (stem == "override" or stem.endswith("_override")) and stem > OVERRIDE:
        raise ModuleRefused("the module has an override that sorts behind the platform's; rename it", path=name)
    return name in _DEFAULT_VALUES or name.endswith(_VALUES)
