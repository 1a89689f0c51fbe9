"""What a run costs beyond the CLI calls that it makes."""

import asyncio
import os
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Final

from bench.archives import publish_module
from bench.measurements import Measurement, median, percentile
from bench.product import Product, running_product
from integrations.tools import find_tool

PAIRS: Final = 20
SUSTAINED_RUNS: Final = 60
AT_ONCE: Final = 5
MODULE: Final = """\
variable "name" { type = string }
resource "terraform_data" "it" { input = var.name }
output "name" { value = terraform_data.it.output }
"""


async def runs() -> AsyncIterator[Measurement]:
    """Measure the overhead of a run, and how many a second go through."""
    async with running_product() as product:
        await publish_module(product, "trivial", "1.0.0", {"main.tf": MODULE})
        await _run(product, "warm-up")  # fills the caches of everybody
        overheads = []
        with tempfile.TemporaryDirectory(prefix="groundwork-bench-") as folder:
            _script(Path(folder), "warm-up")
            for number in range(PAIRS):
                bare = _script(Path(folder), f"pair-{number}")
                overheads.append(await _run(product, f"pair-{number}") - bare)
        note = f"median bare script {bare:.2f} s"
        yield Measurement("run overhead, p50", median(overheads), "s", 0.25, note=note)
        yield Measurement("run overhead, p95", percentile(overheads, 95), "s", 0.6)

        began = time.monotonic()
        slots = asyncio.Semaphore(AT_ONCE)

        async def one(number: int) -> None:
            async with slots:
                await _run(product, f"sustained-{number}")

        await asyncio.gather(*(one(number) for number in range(SUSTAINED_RUNS)))
        yield Measurement(
            "trivial runs a second, sustained",
            SUSTAINED_RUNS / (time.monotonic() - began),
            "/s",
            2.5,
            at_most=False,
        )


async def _run(product: Product, name: str) -> float:
    """Submit a run of its own deployment and wait for its end; give the seconds from its row to its last state."""
    body = {
        "deployment": name,
        "module": {"source": "bench/trivial/generic", "version": "1.0.0"},
        "inputs": {"name": name},
        "auto_apply": True,
    }
    run = (await product.client.post("/api/v1/runs", json=body)).raise_for_status().json()
    # The log's stream ends with the run: no polling, as a person at a terminal would see it.
    async with product.client.stream("GET", f"/api/v1/runs/{run['id']}/logs") as stream:
        async for _ in stream.aiter_lines():
            pass
    ended = (await product.client.get(f"/api/v1/runs/{run['id']}")).raise_for_status().json()
    if ended["state"] != "applied":
        raise RuntimeError(f"the run {run['id']} ended {ended['state']}")
    # By the database's clock: when somebody hears of it is another figure.
    created, finished = (datetime.fromisoformat(ended[name]) for name in ("created_at", "finished_at"))
    return (finished - created).total_seconds()


def _script(folder: Path, name: str) -> float:
    """Make the same CLI calls in a folder where they were made before; give the seconds."""
    (folder / "main.tf").write_text(MODULE)
    (folder / "terraform.tfstate").unlink(missing_ok=True)
    terraform = str(find_tool("terraform"))
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "CHECKPOINT_DISABLE": "1",
        "TF_IN_AUTOMATION": "1",
    }
    calls = (
        ["init", "-input=false", "-no-color", "-json"],
        ["plan", "-input=false", "-no-color", "-json", "-out=plan.bin", f"-var=name={name}"],
        ["init", "-input=false", "-no-color", "-json", "-lockfile=readonly"],
        ["apply", "-input=false", "-no-color", "-json", "plan.bin"],
    )
    began = time.monotonic()
    for call in calls:
        subprocess.run([terraform, *call], cwd=folder, env=environment, check=True, capture_output=True)
    return time.monotonic() - began
