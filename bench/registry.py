"""How fast the registry is: to the CLIs that install from it, to many requests at once, and to large files."""

import os
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

from bench.answers import kept_answers
from bench.archives import publish_module
from bench.measurements import Measurement, median
from bench.product import Product, running_product
from bench.static_registry import static_registry
from bench.transfers import transfers
from integrations.tools import find_tool

MODULES: Final = 30
PAIRS: Final = 20
CALL: Final = """\
module "{name}" {{
  source  = "{host}/bench/{name}/generic"
  version = "1.0.0"
}}
"""


async def registry() -> AsyncIterator[Measurement]:
    """Measure what the registry answers to the CLIs and to publishers."""
    async with running_product() as product:
        for part in (_inits, kept_answers, transfers):
            async for measurement in part(product):
                yield measurement


async def _inits(product: Product) -> AsyncIterator[Measurement]:
    """Measure `init` of thirty modules with each CLI."""
    names = [f"module{number}" for number in range(MODULES)]
    archives = {
        name: await publish_module(product, name, "1.0.0", {"main.tf": f'output "it" {{ value = "{name}" }}\n'})
        for name in names
    }
    with tempfile.TemporaryDirectory(prefix="groundwork-bench-") as folder:
        place = Path(folder)
        with static_registry(place / "nginx", product, archives) as nginx:
            for tool in ("terraform", "tofu"):
                ours, theirs = [], []
                for number in range(PAIRS + 1):
                    pair = (
                        _init(tool, place / f"{tool}-ours-{number}", names, product, product.url),
                        _init(tool, place / f"{tool}-nginx-{number}", names, product, nginx),
                    )
                    if number:  # the first pair warms everybody up
                        ours.append(pair[0])
                        theirs.append(pair[1])
                note = f"nginx {median(theirs):.2f} s"
                yield Measurement(
                    f"{tool} init of {MODULES} modules", median(ours) / median(theirs), "x", 1.25, note=note
                )


def _init(tool: str, folder: Path, names: list[str], product: Product, url: str) -> float:
    """Run `init` in a new folder; give the seconds."""
    folder.mkdir(parents=True)
    host = url.removeprefix("https://")
    calls = (
        f'module "{name}" {{\n  source  = "{host}/bench/{name}/generic"\n  version = "1.0.0"\n}}\n'
        for name in names
    )
    (folder / "main.tf").write_text("".join(calls))
    configuration = folder / "terraformrc"
    configuration.write_text(f'credentials "{host}" {{\n  token = "{product.key}"\n}}\n')
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "CHECKPOINT_DISABLE": "1",
        "TF_CLI_CONFIG_FILE": str(configuration),
        "SSL_CERT_FILE": str(product.certificate_authority),
    }
    began = time.monotonic()
    done = subprocess.run(
        [find_tool(tool), "init", "-input=false", "-no-color", "-backend=false"],
        cwd=folder,
        env=environment,
        capture_output=True,
        check=False,
    )
    took = time.monotonic() - began
    if done.returncode != 0:
        raise RuntimeError(f"{tool} init failed: {done.stderr.decode()[-2000:]}")
    return took
