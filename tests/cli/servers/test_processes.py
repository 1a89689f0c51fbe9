"""What the processes of one API share."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from cli.servers.processes import COUNTS, ROOM, shared_counts
from domain.errors import Unavailable

CHILD = """
import multiprocessing, sys
from cli.servers.processes import begin_child

def count():
    begin_child()
    from api.operations.metrics import COUNT, SECONDS
    COUNT.labels("GET", "/version", "200").inc()
    SECONDS.labels("/version").observe(1)

if __name__ == "__main__":
    child = multiprocessing.get_context("spawn").Process(target=count)
    child.start()
    child.join()
    sys.exit(child.exitcode)
"""


class TestSharedCounts:
    def test_a_child_counts_into_files_that_have_all_of_their_bytes_and_stay_when_it_ended(
        self, tmp_path: Path, repository: Path
    ) -> None:
        script = tmp_path / "count.py"
        script.write_text(CHILD)
        with shared_counts(2):
            folder = Path(os.environ[COUNTS])
            assert list(folder.iterdir()) == []
            subprocess.run([sys.executable, script], check=True, env=os.environ | {"PYTHONPATH": str(repository)})
            files = sorted(folder.iterdir())
            assert [file.name.partition("_")[0] for file in files] == ["counter", "histogram"]
            assert [(file.stat().st_size, file.stat().st_blocks * 512) for file in files] == [(ROOM, ROOM)] * 2
            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # the library leaves it out
            counted = generate_latest(registry).decode()
            assert 'groundwork_http_requests_total{method="GET",route="/version",status="200"} 1.0' in counted
        assert not folder.exists()

    def test_a_child_goes_on_with_the_counts_of_one_that_died(self, tmp_path: Path, repository: Path) -> None:
        script = tmp_path / "count.py"
        script.write_text(CHILD)
        with shared_counts(1):
            for _ in range(2):
                subprocess.run(
                    [sys.executable, script], check=True, env=os.environ | {"PYTHONPATH": str(repository)}
                )
            assert len(list(Path(os.environ[COUNTS]).iterdir())) == 2
            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # the library leaves it out
            assert 'route="/version",status="200"} 2.0' in generate_latest(registry).decode()

    def test_a_full_disk_is_told_before_anything_starts(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def full(_file: int, _offset: int, _length: int) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr(os, "posix_fallocate", full)
        with (
            pytest.raises(Unavailable, match=r"no room for the metrics .* No space left on device"),
            shared_counts(1),
        ):
            pass
        assert COUNTS not in os.environ
