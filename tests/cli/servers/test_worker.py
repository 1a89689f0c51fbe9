"""`groundwork worker` as the process it is."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text

from config.settings import CONFIG_FILE
from integrations.embedded.ports import LOOPBACK, free_port
from storage.database import Database
from tests.fixtures.platform import Installation

pytestmark = pytest.mark.servers
LONGEST = 30


class TestWorker:
    async def test_while_temporal_is_away_it_gives_signs_of_life_and_looks_after_what_was_left(
        self, make_installation: Callable[[], Installation], database: Database, tmp_path: Path
    ) -> None:
        installation = make_installation()
        settings_file = installation.settings_file(f"{LOOPBACK}:{free_port()}")
        left = installation.folder / "runs" / "left"
        left.mkdir(parents=True)
        os.utime(left, (0, 0))
        alive = tmp_path / "alive"
        await _forget_workers(database)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "cli", "worker", "--queue", "terraform", "--alive-file", str(alive)),
            env=os.environ | {CONFIG_FILE: str(settings_file)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        try:
            async with asyncio.timeout(LONGEST):
                while not (alive.exists() and not left.exists() and await _workers(database) == 1):  # noqa: ASYNC110  another process does
                    await asyncio.sleep(0.05)
        finally:
            process.terminate()
            said, _ = await process.communicate()
        assert process.returncode == 0
        assert b"server_away" in said
        assert not alive.exists()
        assert await _workers(database) == 0


async def _workers(database: Database) -> int:
    async with database.platform("count workers") as session:
        return int(await session.scalar(text("SELECT count(*) FROM worker")) or 0)


async def _forget_workers(database: Database) -> None:
    async with database.platform("forget others' workers") as session:
        await session.execute(text("DELETE FROM worker"))
