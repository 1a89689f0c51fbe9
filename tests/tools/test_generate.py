"""Generated files: written when they differ, and reported when somebody forgot to."""

from pathlib import Path

import pytest

from api.problems import OF_THE_EDGE
from domain.errors import PlatformError
from tools import generate


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let one page be all there is to generate."""
    monkeypatch.setattr(generate, "ROOT", tmp_path)
    monkeypatch.setattr(generate, "FILES", {"docs/page.md": lambda: "as the code says\n"})
    return tmp_path / "docs" / "page.md"


class TestGenerate:
    def test_it_writes_what_is_missing(self, page: Path) -> None:
        assert generate.main([]) == 0
        assert page.read_text() == "as the code says\n"

    def test_the_check_passes_when_all_is_current(self, page: Path) -> None:
        generate.main([])
        assert page.exists()
        assert generate.main(["--check"]) == 0

    def test_the_check_names_what_is_stale_and_leaves_it(
        self, page: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        generate.main([])
        page.write_text("as somebody wrote\n")
        assert generate.main(["--check"]) == 1
        assert "docs/page.md is not current: `make generate`" in capsys.readouterr().out
        assert page.read_text() == "as somebody wrote\n"


ERRORS = generate.all_errors()
AREAS = {folder.name for folder in (generate.ROOT / "domain").iterdir() if (folder / "errors.py").is_file()}


class TestErrors:
    """Where an error's class stands follows from its code, so that nobody has to look for it."""

    @pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.code)
    def test_of_an_area_stand_with_the_area_and_others_in_one_place(self, error: type[PlatformError]) -> None:
        area = error.code.partition(".")[0]
        elsewhere = {"domain.errors", "cli.errors", "cli.client.errors"}
        assert error.__module__ in ({f"domain.{area}.errors"} if area in AREAS else elsewhere)

    def test_have_a_code_each(self) -> None:
        codes = [error.code for error in ERRORS] + list(OF_THE_EDGE)
        assert sorted(set(codes)) == sorted(codes)

    def test_of_the_registry_say_what_to_do_as_well(self) -> None:
        refusals = [error for error in ERRORS if error.code.startswith("registry.")]
        assert refusals
        assert [error.code for error in refusals if "\n\n" not in (error.__doc__ or "")] == []
        page = generate.error_codes()
        assert [error.code for error in refusals if f"| `{error.code}` |" not in page] == []

    @pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.code)
    def test_say_what_they_mean(self, error: type[PlatformError]) -> None:
        assert "__doc__" in vars(error)
        assert error.__doc__


class TestErrorCodes:
    def test_each_code_has_one_line_with_its_status(self) -> None:
        lines = [line for line in generate.error_codes().splitlines() if line.startswith("| `")]
        codes = [line.split("`")[1] for line in lines]
        assert len(set(codes)) == len(codes)
        assert any(line.startswith("| `platform.unavailable` | 503 |") for line in lines)
