"""Reading what a module could have replaced."""

import os
from pathlib import Path

import pytest

from workers.runner.files import Replaced, TooLarge, read_regular


class TestReadRegular:
    def test_reads_a_file_or_a_part_of_it(self, tmp_path: Path) -> None:
        (tmp_path / "inner").mkdir()
        (tmp_path / "inner/file").write_bytes(b"0123456789")
        assert read_regular(tmp_path, "inner/file") == b"0123456789"
        assert read_regular(tmp_path, "inner/file", offset=2, count=3) == b"234"

    def test_holds_no_more_in_memory_than_it_may(self, tmp_path: Path) -> None:
        with (tmp_path / "sparse").open("wb") as file:
            file.truncate(50 * 1024**3)
        with pytest.raises(TooLarge, match="53687091200 bytes"):
            read_regular(tmp_path, "sparse")
        assert read_regular(tmp_path, "sparse", offset=10, count=2) == b"\0\0"

    @pytest.mark.parametrize("name", ["link", "linked/file", "pipe", "folder", "none", "gone/file"])
    def test_refuses_everything_else_and_keeps_nothing_open(self, tmp_path: Path, name: str) -> None:
        outside = tmp_path / "outside"
        outside.mkdir()
        (outside / "file").write_text("secret")
        root = tmp_path / "root"
        root.mkdir()
        (root / "link").symlink_to(outside / "file")
        (root / "linked").symlink_to(outside)
        (root / "folder").mkdir()
        os.mkfifo(root / "pipe")
        before = len(list(Path("/proc/self/fd").iterdir()))
        with pytest.raises(OSError, match=r".") as refused:
            read_regular(root, name)
        assert len(list(Path("/proc/self/fd").iterdir())) == before
        assert isinstance(refused.value, FileNotFoundError if name in {"none", "gone/file"} else Replaced)
