"""What holding a lease says while the database is away."""

import asyncio
from datetime import timedelta
from pathlib import Path

import structlog

from domain.errors import Unavailable
from domain.provisioning.steps import InterruptReason, StepLimits
from tests.fixtures.archives import a_tar_gz
from tests.workers.runner.test_workspace import a_job
from workers.runner.guarded import boot_time
from workers.runner.lease import Lease
from workers.runner.recorder import Renewal
from workers.runner.recording import ServiceRecorder


class Recorder(ServiceRecorder):
    """Can't reach the database three times, then can; then the step is done."""

    def __init__(self, done: asyncio.Event) -> None:
        self._done = done
        self._calls = 0

    async def renew(self) -> Renewal:
        self._calls += 1
        if self._calls <= 3:
            raise Unavailable("the database does not answer", reason="57P03 starting")
        self._done.set()
        return Renewal(cancel_requested=False)


class TestHold:
    async def test_an_outage_is_told_when_it_begins_and_when_it_is_over(self, tmp_path: Path) -> None:
        done, stops = asyncio.Event(), list[InterruptReason]()
        limits = StepLimits(renewal=timedelta(milliseconds=1))
        job = a_job(tmp_path, a_tar_gz(), limits=limits, lease_started=boot_time())
        with structlog.testing.capture_logs() as lines:
            await Lease(job, Recorder(done)).hold(done, lambda _: None, stops.append)
        assert [line["event"] for line in lines] == ["server_away", "server_back"]
        assert stops == []
