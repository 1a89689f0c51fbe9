"""Answers that the byte cache keeps, beside a bare application that sends the same bytes, FastAPI and nginx."""

import json
import tempfile
from collections.abc import AsyncIterator
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Final

from bench.archives import documents_of, publish_module
from bench.bare import ANSWERS, Answer, bare_server
from bench.load import CONNECTIONS, requests_per_second
from bench.measurements import Measurement, median
from bench.product import Product
from bench.static_registry import static_registry

ROUNDS: Final = 6
SECONDS: Final = 1
NAME: Final = "answers"
VERSIONS: Final = f"/v1/modules/bench/{NAME}/generic/versions"
DOWNLOAD: Final = f"/v1/modules/bench/{NAME}/generic/1.0.0/download"


async def kept_answers(product: Product) -> AsyncIterator[Measurement]:
    """Ask for a version list, and for a download address (which is counted), with a key and over TLS."""
    files = {"main.tf": 'output "it" { value = 1 }\n'}
    archive = await publish_module(product, NAME, "1.0.0", files)
    await documents_of(product, NAME, "1.0.0")
    with tempfile.TemporaryDirectory(prefix="groundwork-bench-") as folder, ExitStack() as servers:
        answers = Path(folder) / "answers.json"
        answers.write_text(json.dumps({path: await _answer(product, path) for path in (VERSIONS, DOWNLOAD)}))
        bare = servers.enter_context(bare_server("sending", product, {ANSWERS: str(answers)}))
        framework = servers.enter_context(bare_server("framework", product, {ANSWERS: str(answers)}))
        nginx = servers.enter_context(static_registry(Path(folder) / "nginx", product, {NAME: archive}))

        ours, theirs, frameworks, nginxs = _rates(
            product, [f"{url}{VERSIONS}" for url in (product.url, bare, framework, nginx)]
        )
        of = f"{CONNECTIONS} connections; {ours:,.0f}/s"
        yield Measurement(
            "kept version list, beside a bare application",
            ours / theirs,
            "x",
            0.8,
            at_most=False,
            note=f"{of}, nginx {nginxs:,.0f}/s",
        )
        yield Measurement("kept version list, beside FastAPI", ours / frameworks, "x", 3, at_most=False)
        ours, theirs = _rates(product, [f"{url}{DOWNLOAD}" for url in (product.url, bare)])
        yield Measurement(
            "kept download address, beside a bare one",
            ours / theirs,
            "x",
            0.8,
            at_most=False,
            note=f"{ours:,.0f}/s",
        )


async def _answer(product: Product, path: str) -> dict[str, object]:
    answer = (await product.client.get(path)).raise_for_status()
    # The date is the server's own.
    headers = [(name, value) for name, value in answer.headers.items() if name != "date"]
    return asdict(Answer(headers, answer.text))


def _rates(product: Product, urls: list[str]) -> list[float]:
    """Load each in turn, several times; give the middle of its requests a second."""
    rates: list[list[float]] = [[] for _ in urls]
    for number in range(ROUNDS + 1):
        for of_one, url in zip(rates, urls, strict=True):
            rate = requests_per_second(url, key=product.key, seconds=SECONDS)
            if number:  # the first round warms everybody up
                of_one.append(rate)
    return [median(of_one) for of_one in rates]
