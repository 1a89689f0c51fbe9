"""The wheel that images install: it holds what the code reads beside itself."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def unpacked(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel and unpack it, as installing does."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", folder],
        check=True,
        cwd=repository,
        capture_output=True,
    )
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "unpacked")
    return folder / "unpacked"


class TestWheel:
    @pytest.mark.parametrize(
        "statement",
        [
            "from integrations.temporal_configuration import temporal_configuration as read; read()",
            "from storage.migrations.upgrade import head; head()",
        ],
    )
    def test_files_are_found_without_the_checkout(self, unpacked: Path, statement: str) -> None:
        first = f"import sys; sys.path.insert(0, {str(unpacked)!r})"
        program = f"{first}; {statement}; import domain; print(domain.__file__)"

        done = subprocess.run(
            [sys.executable, "-c", program], check=False, cwd=unpacked, capture_output=True, text=True
        )

        assert done.stderr == ""
        assert done.stdout.startswith(str(unpacked))

    def test_nothing_of_the_checkout_comes_along_by_accident(self, unpacked: Path) -> None:
        packages = {path.parent.name for path in unpacked.glob("*/__init__.py")}
        others = {path.name for path in unpacked.iterdir()} - packages

        assert "tests" not in packages
        assert {name for name in others if not name.endswith(".dist-info")} == {"deploy"}
        assert [path.name for path in unpacked.joinpath("deploy").rglob("*")] == ["temporal.yaml"]
