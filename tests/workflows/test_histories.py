"""Workflow code replays what was recorded before: an upgrade breaks no run that is under way."""

import json
from pathlib import Path

import pytest
from temporalio import workflow
from temporalio.client import WorkflowHistory
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Replayer
from temporalio.workflow import NondeterminismError

from domain.provisioning.messages import RunReference
from tests.tools.checks.trees import plant
from tests.workflows.record_histories import unreleased_version
from workers import control, transfer

WORKFLOWS = [*control.WORKFLOWS, *transfer.WORKFLOWS]
HISTORIES = sorted((Path(__file__).parent / "histories").glob("*/*.json"))
MOST_EVENTS = 80


def history(path: Path) -> WorkflowHistory:
    return WorkflowHistory.from_json(path.stem, path.read_text())


@pytest.mark.parametrize("path", HISTORIES, ids=lambda path: f"{path.parent.name} {path.stem}")
class TestEveryRecordedHistory:
    async def test_is_replayed_by_todays_code(self, path: Path) -> None:
        replayer = Replayer(workflows=WORKFLOWS, data_converter=pydantic_data_converter)
        await replayer.replay_workflow(history(path))

    def test_is_short(self, path: Path) -> None:
        assert len(json.loads(path.read_text())["events"]) <= MOST_EVENTS


class TestRecordedHistories:
    def test_there_is_one_of_every_workflow(self) -> None:
        recorded = {path.parent.name for path in HISTORIES}
        defined = {workflow._Definition.must_from_class(each).name for each in WORKFLOWS}
        assert recorded == defined

    async def test_other_code_does_not_replay_them(self) -> None:
        replayer = Replayer(workflows=[AnotherRun], data_converter=pydantic_data_converter)
        path = next(path for path in HISTORIES if path.match("provisioning.run/*-approved.json"))
        with pytest.raises(NondeterminismError):
            await replayer.replay_workflow(history(path))


class TestUnreleasedVersion:
    def of(self, root: Path, heading: str) -> str:
        plant(
            root,
            {"pyproject.toml": '[project]\nversion = "0.2.0"\n', "CHANGELOG.md": f"# Changelog\n\n{heading}\n"},
        )
        return unreleased_version(root)

    def test_is_the_one_that_is_being_worked_on(self, tmp_path: Path) -> None:
        assert self.of(tmp_path, "## 0.2.0 (unreleased)") == "0.2.0"

    @pytest.mark.parametrize("heading", ["## 0.2.0 (2027-01-31)", "## 0.3.0 (unreleased)"])
    def test_a_release_is_never_recorded_anew(self, tmp_path: Path, heading: str) -> None:
        with pytest.raises(ValueError, match=r"does not have 0\.2\.0 as unreleased"):
            self.of(tmp_path, heading)


@workflow.defn(name="provisioning.run", sandboxed=False)
class AnotherRun:
    """What a careless change could have made of the workflow."""

    @workflow.signal
    def wake(self) -> None:
        """Ignore it."""

    @workflow.run
    async def run(self, reference: RunReference) -> None:
        """End at once."""
