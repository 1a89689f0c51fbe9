"""Materials of steps on disk."""

import os
from pathlib import Path

from activities.provisioning.step_jobs import GIVEN, UNUSED, clear_leftovers, write_materials
from services.provisioning.materials import StepMaterials


class TestClearLeftovers:
    def test_takes_what_nobody_reads_any_more_and_nothing_else(self, tmp_path: Path) -> None:
        now = 1_800_000_000.0
        for name, age in ((f"old{GIVEN}", UNUSED + 1), (f"new{GIVEN}", UNUSED - 1), ("a-step", 10 * UNUSED)):
            (tmp_path / name).mkdir()
            (tmp_path / name / "state").write_text("secret")
            os.utime(tmp_path / name, (now - age, now - age))
        assert clear_leftovers(tmp_path, now=now) == 1
        assert sorted(path.name for path in tmp_path.iterdir()) == ["a-step", f"new{GIVEN}"]


class TestWriteMaterials:
    def test_writes_what_there_is(self, tmp_path: Path) -> None:
        materials = StepMaterials(
            module_archive=b"module", state=None, plan=b"plan", lock_file=None, secret_inputs={"a": 1}
        )
        given = write_materials(tmp_path, materials)
        assert given.plan is not None
        assert (given.module_archive.read_bytes(), given.plan.read_bytes()) == (b"module", b"plan")
        assert (given.state, given.lock_file, given.secret_inputs) == (None, None, {"a": 1})
        assert len(list(tmp_path.iterdir())) == 2
