"""The files that make a folder an installation."""

from pathlib import Path

import pytest

from cli.errors import KeyMissing
from cli.supervisor.home import Home
from cli.supervisor.keys import KEYS, ensure_keys


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """Make an empty home."""
    return Home(tmp_path)


class TestEnsureKeys:
    def test_a_home_without_data_gets_all_of_them(self, home: Home) -> None:
        files = ensure_keys(home)
        assert set(files) == set(KEYS)
        assert all(file.is_file() for file in files.values())

    def test_those_there_are_stay_as_they_are(self, home: Home) -> None:
        before = {name: file.read_bytes() for name, file in ensure_keys(home).items()}
        home.postgresql.mkdir()
        assert {name: file.read_bytes() for name, file in ensure_keys(home).items()} == before

    @pytest.mark.parametrize("name", KEYS)
    def test_one_that_is_missing_where_data_is_is_refused_and_not_made(self, home: Home, name: str) -> None:
        file = ensure_keys(home)[name]
        home.postgresql.mkdir()
        file.unlink()
        with pytest.raises(KeyMissing, match=str(file)):
            ensure_keys(home)
        assert not file.exists()
