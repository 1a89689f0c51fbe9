"""deploy/Dockerfile: parsed, since no container engine runs the tests."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from dockerfile_parse import DockerfileParser

Instruction = dict[str, Any]


@pytest.fixture(scope="module")
def dockerfile(repository: Path) -> DockerfileParser:
    return DockerfileParser(fileobj=io.BytesIO(repository.joinpath("deploy", "Dockerfile").read_bytes()))


@pytest.fixture(scope="module")
def stages(dockerfile: DockerfileParser) -> dict[str, list[Instruction]]:
    """Give the instructions of each stage, by its name."""
    found: dict[str, list[Instruction]] = {}
    for instruction in dockerfile.structure:
        if instruction["instruction"] == "FROM":
            current = found.setdefault(instruction["value"].split(" AS ")[1], [])
        elif found and instruction["instruction"] != "COMMENT":
            current.append(instruction)
    return found


def last(stage: list[Instruction], instruction: str) -> str:
    return str([each["value"] for each in stage if each["instruction"] == instruction][-1])


class TestStages:
    def test_the_base_image_is_pinned_to_a_patch_release(
        self, dockerfile: DockerfileParser, stages: dict[str, list[Instruction]]
    ) -> None:
        foreign = set(dockerfile.parent_images) - set(stages)

        assert foreign == {"python:3.11.14-slim-trixie"}

    def test_both_images_run_as_nobody_in_particular(self, stages: dict[str, list[Instruction]]) -> None:
        assert {name: last(stages[name], "USER") for name in ("api", "worker")} == {
            "api": "65532:65532",
            "worker": "65532:65532",
        }

    def test_both_images_are_the_one_command(self, stages: dict[str, list[Instruction]]) -> None:
        first = "/usr/local/lib/groundwork/entrypoint.py"
        assert json.loads(last(stages["api"], "ENTRYPOINT")) == ["python", "-I", first, "groundwork"]
        assert f"deploy/entrypoint.py {first}" in [each["value"] for each in stages["api"]]
        assert "ENTRYPOINT" not in [each["instruction"] for each in stages["worker"]]
        assert json.loads(last(stages["api"], "CMD")) == ["api"]
        assert json.loads(last(stages["worker"], "CMD")) == ["worker"]

    def test_whatever_pip_fetches_is_held_to_a_hash(self, stages: dict[str, list[Instruction]]) -> None:
        installs = [
            command
            for stage in stages.values()
            for each in stage
            if each["instruction"] == "RUN"
            for command in each["value"].split("&&")
            if "pip install" in command
        ]

        assert len(installs) == 3
        assert all("--require-hashes" in command or "--no-index" in command for command in installs)

    def test_only_the_worker_has_tools_that_run_code_of_modules(
        self, stages: dict[str, list[Instruction]]
    ) -> None:
        copied = {
            name: [each["value"] for each in stage if each["instruction"] == "COPY"]
            for name, stage in stages.items()
        }

        assert "--from=tools /tools/bin/ /usr/local/bin/" in copied["worker"]
        assert not any("--from=tools" in value for value in copied["api"])


class TestContext:
    def test_everything_that_is_copied_from_it_is_there(
        self, stages: dict[str, list[Instruction]], repository: Path
    ) -> None:
        sources = [
            source
            for stage in stages.values()
            for each in stage
            if each["instruction"] == "COPY" and not each["value"].startswith("--from=")
            for source in each["value"].split()[:-1]
        ]

        assert [source for source in sources if not (repository / source).exists()] == []

    def test_it_is_a_list_of_what_goes_in_and_holds_every_package_of_the_wheel(self, repository: Path) -> None:
        lines = repository.joinpath(".dockerignore").read_text().splitlines()
        packages = {path.parent.name for path in repository.glob("*/__init__.py")} - {"tests", "bench"}

        assert lines[1] == "*"
        assert {f"!{package}" for package in packages} <= set(lines)
        assert not any("secrets" in line or ".env" in line for line in lines)
