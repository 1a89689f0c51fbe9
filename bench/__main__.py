"""`python -m bench [GROUP ...]`: run benchmarks, a line each; exit 1 if one falls short of its goal."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from typing import Final

from bench.catalogue import catalogue
from bench.documents import documents
from bench.measurements import Measurement
from bench.redaction import redaction
from bench.registry import registry
from bench.runs import runs
from bench.search import search
from bench.start import start_up

GROUPS: Final[dict[str, Callable[[], AsyncIterator[Measurement]]]] = {
    "start": start_up,
    "redaction": redaction,
    "registry": registry,
    "documents": documents,
    "search": search,
    "catalogue": catalogue,
    "runs": runs,
}


async def main(names: list[str]) -> int:
    """Run the groups named, or all of them."""
    unknown = set(names) - set(GROUPS)
    if unknown:
        print(f"no such group: {', '.join(sorted(unknown))}; there are {', '.join(GROUPS)}", file=sys.stderr)
        return 2
    short = 0
    for name in names or GROUPS:
        async for measurement in GROUPS[name]():
            print(measurement, flush=True)
            short += not measurement.met
    return 1 if short else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1:])))
