"""The reference page: every setting is on it, with its description, and no description is missing."""

from config.loading import environment_name, setting_paths
from config.reference import reference
from config.settings import ALIASES


class TestReference:
    def test_every_setting_stands_there_once(self) -> None:
        page = reference()
        paths = [path for path in setting_paths() if not _is_the_file_of_a_secret(path, page)]
        assert all(page.count(f"| `{environment_name(path)}` | `{'.'.join(path)}` |") == 1 for path in paths)

    def test_names_of_other_documents_stand_beside_their_setting(self) -> None:
        for alias, path in ALIASES.items():
            (line,) = (line for line in reference().splitlines() if f"| `{'.'.join(path)}` |" in line)
            assert f"Also `{alias}`." in line

    def test_every_line_says_something(self) -> None:
        assert "None" not in reference()


def _is_the_file_of_a_secret(path: tuple[str, ...], page: str) -> bool:
    return path[-1].endswith("_file") and f"`{'.'.join(path).removesuffix('_file')}`" in page
