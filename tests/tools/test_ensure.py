"""Getting tools: what is there is not built, two at once build once, and who can't get one is told what to do."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
PROVIDER = "terraform-provider-time"
# A Go that does what `go build -trimpath -ldflags=... -o TARGET PACKAGE` does, and counts.
BUILDS = """echo "$0" >> "$HOME/builds"; sleep 0.3; printf '#!/bin/sh\\n' > "$5" """
FAILS = "echo 'dial tcp: lookup proxy.example: no such host' >&2; exit 1"


class Machine:
    """A home with a PATH of its own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.cache = home / "cache"
        self.bin = home / "bin"
        self.bin.mkdir()
        self.bin.joinpath("sleep").symlink_to(shutil.which("sleep") or "/bin/sleep")

    def put(self, name: str, says: str, *, otherwise: str = "", where: Path | None = None) -> Path:
        """Put a program there that says a version when asked, and does something else otherwise."""
        path = (where or self.bin) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        asked = 'case "$1" in version|--version) echo "' + says + '"; exit;; esac\n'
        path.write_text(f"#!/bin/sh\n{asked}{otherwise}\n")
        path.chmod(0o755)
        return path

    def ensure(self, *names: str) -> subprocess.Popen[str]:
        """Start getting tools."""
        return subprocess.Popen(
            [sys.executable, "-m", "tools.ensure", *names],
            cwd=REPOSITORY,
            env={"PATH": str(self.bin), "HOME": str(self.home), "GROUNDWORK_CACHE": str(self.cache)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def builds(self) -> list[str]:
        """Say which Go built something, each time."""
        log = self.home / "builds"
        return log.read_text().splitlines() if log.exists() else []


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """Give a machine that has nothing."""
    return Machine(tmp_path)


def outcome(process: subprocess.Popen[str]) -> tuple[int, str]:
    said, _ = process.communicate()
    return process.returncode, said


class TestEnsure:
    def test_what_path_has_in_a_version_that_works_is_taken(self, machine: Machine) -> None:
        path = machine.put("terraform", "Terraform v1.5.0")
        assert outcome(machine.ensure("terraform")) == (0, f"tools: terraform at {path}\n")

    def test_a_version_that_is_too_old_is_said_with_the_one_needed(self, machine: Machine) -> None:
        path = machine.put("terraform", "Terraform v1.4.9")
        status, said = outcome(machine.ensure("terraform"))
        assert status == 1
        assert (
            f"terraform was not found ({path} has 1.4.9; 1.5.0 or newer is needed): put terraform on PATH" in said
        )

    def test_one_of_two_is_enough(self, machine: Machine) -> None:
        path = machine.put("tofu", "OpenTofu v1.11.0")
        assert outcome(machine.ensure("terraform,tofu")) == (0, f"tools: tofu at {path}\n")

    def test_what_is_missing_is_built_once_and_kept_under_its_version(self, machine: Machine) -> None:
        go = machine.put("go", "go version go1.99.0 linux/amd64", otherwise=BUILDS)
        status, said = outcome(machine.ensure(PROVIDER))
        assert (status, "building (about 0.5 min" in said) == (0, True), said
        assert outcome(machine.ensure(PROVIDER))[0] == 0
        assert machine.builds() == [str(go)]
        assert [path.name for path in (machine.cache / "tools").glob(f"{PROVIDER}-*[0-9]")] == [
            f"{PROVIDER}-0.14.2"
        ]

    def test_two_at_once_build_once(self, machine: Machine) -> None:
        machine.put("go", "go version go1.99.0 linux/amd64", otherwise=BUILDS)
        both = [machine.ensure(PROVIDER), machine.ensure(PROVIDER)]
        assert [outcome(process)[0] for process in both] == [0, 0]
        assert len(machine.builds()) == 1

    def test_a_go_that_is_too_old_gives_way_to_the_wheels(self, machine: Machine) -> None:
        machine.put("go", "go version go1.19.8 linux/amd64", otherwise=FAILS)
        folder = machine.cache / "go-1.27.3" / "go" / "bin"
        wheels = machine.put("go", "go version go1.27.3 linux/amd64", otherwise=BUILDS, where=folder)
        assert outcome(machine.ensure(PROVIDER))[0] == 0
        assert machine.builds() == [str(wheels)]

    def test_a_build_that_fails_says_why_and_what_to_do_and_leaves_nothing(self, machine: Machine) -> None:
        machine.put("go", "go version go1.99.0 linux/amd64", otherwise=FAILS)
        status, said = outcome(machine.ensure(PROVIDER))
        assert status == 1
        assert (
            f"{PROVIDER} can't be built: dial tcp: lookup proxy.example: no such host; look whether GOPROXY"
            in said
        )
        assert [path.name for path in (machine.cache / "tools").iterdir()] == [f"{PROVIDER}-0.14.2.lock"]

    def test_it_goes_on_after_a_failure(self, machine: Machine) -> None:
        path = machine.put("tofu", "OpenTofu v1.12.0")
        status, said = outcome(machine.ensure("terraform", "tofu"))
        assert (status, f"tools: tofu at {path}" in said) == (1, True)
