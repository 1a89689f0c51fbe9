"""How soon after its publication a module's page shows what it declares."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Final

from bench.archives import publish_module
from bench.measurements import Measurement, median, percentile
from bench.product import Product, running_product

MODULES: Final = 20
INTERVAL: Final = 0.02
GIVE_UP: Final = 60.0
VARIABLES: Final = "".join(
    f'variable "v{number}" {{\n  type    = map(list(string))\n  default = {{}}\n}}\n' for number in range(40)
)
FILES: Final = {
    "main.tf": VARIABLES,
    "README.md": "# A module\n" * 200,
    **{f"modules/part{number}/main.tf": VARIABLES for number in range(3)},
    **{f"examples/use{number}/main.tf": 'module "it" {\n  source = "../.."\n}\n' for number in range(2)},
}
"""A root module, three submodules and two examples: what a team publishes, and more."""


async def documents() -> AsyncIterator[Measurement]:
    """Publish one module after the other, and wait for each one's page."""
    async with running_product() as product:
        await _seconds(product, "warm-up")
        times = [await _seconds(product, f"module{number}") for number in range(MODULES)]
    yield Measurement(
        "documents after publishing, p95", percentile(times, 95), "s", 2, note=f"median {median(times):.2f} s"
    )


async def _seconds(product: Product, name: str) -> float:
    """Publish; give the seconds from the answer to the page with the documents.

    Raises:
        TimeoutError: it never came.
    """
    await publish_module(product, name, "1.0.0", FILES)
    began = time.monotonic()
    async with asyncio.timeout(GIVE_UP):
        while True:
            page = (await product.client.get(f"/v1/modules/bench/{name}/generic")).raise_for_status().json()
            if page["documents"]["state"] == "ready":
                return time.monotonic() - began
            await asyncio.sleep(INTERVAL)
