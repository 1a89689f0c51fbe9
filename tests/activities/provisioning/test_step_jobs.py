"""Materials of steps on disk."""

from pathlib import Path

from activities.provisioning.step_jobs import write_materials
from domain.ids import new_id
from domain.provisioning.steps import StepManifest, StepPhase
from integrations.engines.engine import StepFolder
from services.provisioning.materials import StepMaterials


class TestWriteMaterials:
    def test_writes_what_there_is_for_nobody_else_to_see_and_whose_it_is(self, tmp_path: Path) -> None:
        materials = StepMaterials(
            module_archive=b"module", state=None, plan=b"plan", lock_file=None, secret_inputs={"a": 1}
        )
        folder = StepFolder(tmp_path / "work" / "one")
        whose = StepManifest(organization_id=new_id(), run_id=new_id(), step_id=new_id(), phase=StepPhase.APPLY)
        given = write_materials(folder, whose, materials)
        assert given.plan is not None
        assert (given.module_archive.read_bytes(), given.plan.read_bytes()) == (b"module", b"plan")
        assert (given.state, given.lock_file, given.secret_inputs) == (None, None, {"a": 1})
        assert len(list(folder.root.iterdir())) == 3
        assert folder.root.stat().st_mode & 0o777 == 0o700
        assert StepManifest.model_validate_json(folder.manifest.read_bytes()) == whose
