"""The documents: what they point to is there."""

import re
import subprocess
from pathlib import Path

import pytest

from cli.main import COMMANDS

LINK = re.compile(r"(?<!!)\[[^\]]+\]\(([^)\s]+)\)|!\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"```\w*\n(.*?)```", re.DOTALL)
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
REPOSITORY = Path(__file__).parents[2]


def documents() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
        check=True,
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
    ).stdout.split()
    return [REPOSITORY / name for name in listed if (REPOSITORY / name).exists()]


def anchors(text: str) -> set[str]:
    """Give the anchors of a document's headings, as hosts of Markdown make them."""
    plain = [re.sub(r"[^\w\- ]", "", heading.lower()) for heading in HEADING.findall(CODE.sub("", text))]
    return {heading.strip().replace(" ", "-") for heading in plain}


def named(path: Path) -> str:
    return str(path.relative_to(REPOSITORY))


@pytest.mark.parametrize("document", documents(), ids=named)
class TestDocument:
    def test_its_links_lead_somewhere(self, document: Path) -> None:
        text = document.read_text()
        broken = []
        for pair in LINK.findall(CODE.sub("", text)):
            target, _, anchor = (pair[0] or pair[1]).partition("#")
            if "://" in target:
                continue
            path = document.parent / target if target else document
            if not path.exists() or (anchor and anchor not in anchors(path.read_text())):
                broken.append(f"{target}#{anchor}")
        assert broken == []

    def test_its_commands_exist(self, document: Path) -> None:
        commands = {command.target.partition(":")[2].replace("_", "-") for command in COMMANDS}
        fences = "\n".join(CODE.findall(document.read_text()))

        used = set(re.findall(r"(?:^|\s|/)groundwork ([a-z][a-z-]+)", fences, re.MULTILINE))

        assert used - commands == set()

    def test_its_make_targets_exist(self, document: Path) -> None:
        targets = set(re.findall(r"^([a-z-]+):", REPOSITORY.joinpath("Makefile").read_text(), re.MULTILINE))

        used = set(re.findall(r"(?:^|`)make ([a-z-]+)", document.read_text(), re.MULTILINE))

        assert used - targets == set()


class TestReadme:
    def test_it_is_read_in_one_sitting(self) -> None:
        assert len(REPOSITORY.joinpath("README.md").read_text().splitlines()) <= 150

    def test_its_quick_start_is_the_tutorials_which_a_test_follows(self) -> None:
        _, _, quick_start = REPOSITORY.joinpath("README.md").read_text().partition("## Quick start")
        tutorial = REPOSITORY.joinpath("docs", "tutorials", "first-module.md").read_text()
        typed = [line for block in CODE.findall(quick_start) for line in block.splitlines()]
        lesson = [line for block in CODE.findall(tutorial) for line in block.splitlines()]

        assert typed
        assert [line for line in typed if line not in lesson] == []


class TestArchitecture:
    def test_every_path_it_names_is_there(self) -> None:
        text = REPOSITORY.joinpath("ARCHITECTURE.md").read_text()
        paths = re.findall(
            r"`((?:api|cli|workers|workflows|activities|services|storage|domain|config)/[\w/.]*)`", text
        )

        assert paths
        assert [path for path in paths if not (REPOSITORY / path).exists()] == []


class TestDecisions:
    def test_the_index_has_each_one_in_order(self) -> None:
        folder = REPOSITORY / "docs" / "adr"
        files = sorted(path.name for path in folder.glob("[0-9]*.md"))

        indexed = re.findall(r"\((\d{4}-[\w-]+\.md)\)", "".join(_rows(folder.joinpath("README.md").read_text())))

        assert indexed == files
        assert [name[:4] for name in files] == [f"{number:04}" for number in range(1, len(files) + 1)]

    def test_each_has_the_form_and_fits_on_a_page(self) -> None:
        for path in REPOSITORY.joinpath("docs", "adr").glob("[0-9]*.md"):
            text = path.read_text()
            assert re.match(rf"# {path.name[:4]}: .+\n\nStatus: \w+", text), path.name
            assert HEADING.findall(text)[1:] == ["Context", "Decision", "Consequences"], path.name
            assert len(text.splitlines()) <= 60, path.name


def _rows(table: str) -> list[str]:
    return [line for line in table.splitlines() if line.startswith("| [")]
