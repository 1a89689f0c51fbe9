"""Materials of steps on disk."""

from pathlib import Path

from activities.provisioning.step_jobs import GivenFolder, write_materials
from domain.ids import new_id
from services.provisioning.materials import StepMaterials


class TestWriteMaterials:
    def test_writes_what_there_is_for_nobody_else_to_see(self, tmp_path: Path) -> None:
        materials = StepMaterials(
            module_archive=b"module", state=None, plan=b"plan", lock_file=None, secret_inputs={"a": 1}
        )
        folder = GivenFolder.of(tmp_path / "work", new_id())
        given = write_materials(folder, materials, "a configuration")
        assert given.plan is not None
        assert (given.module_archive.read_bytes(), given.plan.read_bytes()) == (b"module", b"plan")
        assert (given.state, given.lock_file, given.secret_inputs) == (None, None, {"a": 1})
        assert len(list(folder.root.iterdir())) == 3
        assert folder.root.stat().st_mode & 0o777 == 0o700
        assert folder.configuration.read_text() == given.terraformrc == "a configuration"
