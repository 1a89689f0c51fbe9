"""How long `groundwork dev` takes to be ready."""

import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from bench.measurements import Measurement, median
from bench.product import command, start


async def start_up() -> AsyncIterator[Measurement]:
    """Start a home that was started before, three times."""
    with tempfile.TemporaryDirectory(prefix="groundwork-bench-") as folder:
        home = Path(folder) / "home"
        first = await start(home)
        await command("dev", "--home", str(home), "--stop")
        seconds = []
        for _ in range(3):
            seconds.append(await start(home))
            await command("dev", "--home", str(home), "--stop")
    yield Measurement("dev ready, warm", median(seconds), "s", 10, note=f"first start {first:.1f} s")
