"""What a large catalogue costs: kept answers, answers that nobody asked for before, pages of lists, memory."""

import asyncio
import json
import random
import tomllib
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from itertools import islice, repeat
from pathlib import Path
from typing import Final
from urllib.parse import quote

from sqlalchemy import create_engine, make_url, text

from bench.archives import publish_module
from bench.connection import Connection
from bench.filling import KINDS, NAMESPACES, THINGS, fill_modules, fill_providers
from bench.measurements import Measurement, median, percentile
from bench.product import Product, running_product

MODULES: Final = 90_000
GROWN: Final = 100
MORE: Final = 100
"""So 100,000 module versions: 100 modules have 101 of them."""
PROVIDERS: Final = 2_000
RELEASES: Final = 400
TOUCHES: Final = 300
PAGES: Final = 200
ROUNDS, ROUND = 20, 250
BIGGEST: Final = 64
"""Megabytes of answers that an API process keeps at most (api.protocols.cache)."""
KEPT: Final = ("/v1/modules/bench/same/generic/versions", "/v1/modules/bench/same/generic/1.0.0/download")


async def catalogue() -> AsyncIterator[Measurement]:
    """Fill one installation with 100,000 module versions and 9.6 million packages; leave another nearly empty."""
    async with running_product() as small, running_product() as large:
        for product in (small, large):
            await publish_module(product, "same", "1.0.0", {"main.tf": ""})
        modules = await asyncio.to_thread(_fill, large)
        for measurement in await asyncio.to_thread(lambda: list(_measured(small, large, modules))):
            yield measurement


def _measured(small: Product, large: Product, modules: Sequence[str]) -> Iterator[Measurement]:
    with _connected(small) as to_small, _connected(large) as to_large:
        chance = random.Random(5)  # noqa: S311  the same questions each time
        for what, path in _first_touches(chance, modules).items():
            times = _ask(to_large, iter(path, None), TOUCHES)
            note = f"p50 {median(times):.1f} ms"
            yield Measurement(f"first touch, {what}, p99", percentile(times, 99), "ms", 15, note=note)
        times = _ask(to_large, iter(lambda: _search(chance), None), TOUCHES)
        note = f"p50 {median(times):.1f} ms; no answer to a search is kept"
        yield Measurement("search by HTTP, p95", percentile(times, 95), "ms", 50, note=note)
        for what, listed in (("modules", "/api/v1/modules"), ("providers", "/api/v1/providers")):
            times = list(_pages(to_large, f"{listed}?limit=50"))
            note = f"p50 {median(times):.1f} ms, {len(times)} pages from the first on"
            yield Measurement(f"page of {what}, p95", percentile(times, 95), "ms", 50, note=note)
        before = _megabytes(large)
        size = sum(
            len(to_large.get(f"/v1/providers/{_provider(each)}/versions").body) for each in range(PROVIDERS)
        )
        yield Measurement(
            "memory that a walk over all providers takes",
            _megabytes(large) - before,
            "MB",
            BIGGEST * 1.5,
            note=f"{size / 1e6:.0f} MB of answers went by; up to {BIGGEST} MB are kept",
        )
        for kept in KEPT:
            ours, theirs = [], []
            for _ in range(ROUNDS):
                theirs += _ask(to_small, repeat(kept), ROUND)
                ours += _ask(to_large, repeat(kept), ROUND)
            yield Measurement(
                f"kept answer, {kept.rsplit('/', 1)[1]}, beside a small catalogue",
                median(ours) / median(theirs),
                "x",
                1.1,
                note=f"p50 {median(ours):.2f} ms",
            )


def _first_touches(chance: random.Random, modules: Sequence[str]) -> Mapping[str, Callable[[], str]]:
    """Give what makes an address of each kind, as a rule one that was not made before."""

    def provider() -> str:
        return f"/v1/providers/{_provider(chance.randrange(PROVIDERS))}"

    return {
        "module versions": lambda: f"/v1/modules/{chance.choice(modules)}/versions",
        "module download": lambda: f"/v1/modules/{chance.choice(modules)}/0.0.0/download",
        "provider versions": lambda: f"{provider()}/versions",
        "provider download": lambda: f"{provider()}/{chance.randrange(RELEASES)}.0.0/download/linux/amd64",
    }


def _search(chance: random.Random) -> str:
    """Make the address of a search."""
    typed = chance.choice((chance.choice(THINGS), f"{chance.choice(KINDS)} {chance.choice(THINGS)}"))
    return f"/v1/modules/search?q={quote(typed)}&offset={chance.randrange(100)}"


def _provider(number: int) -> str:
    return f"team-{(number + 1) % NAMESPACES}/cloud-{number + 1}"


def _ask(connection: Connection, paths: Iterator[str], times: int) -> list[float]:
    """Ask so many times; give the milliseconds of each.

    Raises:
        RuntimeError: it was not answered.
    """
    took = []
    for asked in islice(paths, times):
        answered = connection.get(asked)
        if answered.status != 200:
            raise RuntimeError(f"{asked} was answered with {answered.status}")
        took.append(answered.milliseconds)
    return took


def _pages(connection: Connection, path: str) -> Iterator[float]:
    """Walk a list by its cursors; give the milliseconds of each page."""
    cursor: str | None = ""
    for _ in range(PAGES):
        if cursor is None:
            return
        answered = connection.get(f"{path}&cursor={quote(cursor)}" if cursor else path)
        cursor = json.loads(answered.body)["next_cursor"]
        yield answered.milliseconds


def _connected(product: Product) -> Connection:
    return Connection(product.url, product.certificate_authority, product.key)


def _megabytes(product: Product) -> float:
    """Give the memory that the API's process has in use."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "cwd").resolve() == product.home / "api":
                fields = dict(line.split(":", 1) for line in (process / "status").read_text().splitlines())
                return int(fields["VmRSS"].split()[0]) / 1024
        except OSError:
            continue  # it ended, or is another user's
    raise RuntimeError("the API does not run")


def _fill(product: Product) -> Sequence[str]:
    """Fill the catalogue; give the addresses of its modules."""
    settings = tomllib.loads((product.home / "groundwork.toml").read_text())
    passwords = json.loads((product.home / "postgresql" / "passwords.json").read_text())
    url = make_url(settings["database"]["owner_url"]).set(username="postgres", password=passwords["postgres"])
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        organization_id = connection.scalar(text("SELECT organization_id FROM namespace WHERE name = 'bench'"))
        fill_modules(connection, organization_id, modules=MODULES, grown=GROWN, more=MORE)
        fill_providers(connection, organization_id, providers=PROVIDERS, releases=RELEASES)
        addresses = text(
            "SELECT concat_ws('/', namespace, name, system) FROM module WHERE name <> 'same' ORDER BY id"
        )
        modules = connection.scalars(addresses).all()
    engine.dispose()
    return modules
