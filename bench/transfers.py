"""Archives of 100 MB on their way in and out, beside a bare application and nginx.

The content can't be packed, so that an archive is as large as what is in it, and each side moves the same bytes.
"""

import random
import tarfile
import tempfile
from collections.abc import AsyncIterator
from contextlib import ExitStack
from io import BytesIO
from pathlib import Path
from typing import Final

from bench.archives import documents_of
from bench.bare import FOLDER, bare_server
from bench.load import download_seconds, upload_seconds
from bench.measurements import Measurement, median
from bench.product import Product
from bench.static_registry import static_registry

MEGABYTES: Final = 100
FILES: Final = 10
PAIRS: Final = 5
DOWNLOADS: Final = 9
NAME: Final = "large"


async def transfers(product: Product) -> AsyncIterator[Measurement]:
    """Publish an archive some times, each time as another version; and fetch it."""
    with tempfile.TemporaryDirectory(prefix="groundwork-bench-") as folder, ExitStack() as servers:
        archive = Path(folder) / "large.tar.gz"
        _pack(archive)
        taking = servers.enter_context(bare_server("taking", product, {FOLDER: folder}))
        ours, theirs = [], []
        for number in range(PAIRS + 1):
            version = f"1.0.{number}"
            form = ["namespace=bench", f"name={NAME}", "system=generic", f"version={version}", f"file=@{archive}"]
            pair = [
                upload_seconds(url, form, key=product.key, authority=product.certificate_authority)
                for url in (f"{product.url}/api/v1/modules", taking)
            ]
            await documents_of(product, NAME, version)
            if number:  # the first pair warms everybody up
                ours.append(pair[0])
                theirs.append(pair[1])
        yield Measurement(
            f"publishing a module of {MEGABYTES} MB",
            median(ours) / median(theirs),
            "x",
            2,
            note=f"{median(ours):.2f} s; hashed and written alone {median(theirs):.2f} s",
        )
        nginx = servers.enter_context(
            static_registry(Path(folder) / "nginx", product, {NAME: archive.read_bytes()})
        )
        path = f"/v1/modules/bench/{NAME}/generic/1.0.0/download"
        ours_at = (await product.client.get(path)).raise_for_status().json()["location"]
        urls = (ours_at, f"{nginx}/archives/{NAME}.tar.gz")
        for connections in (1, 8):
            rates = _rates(product, urls, connections)
            yield Measurement(
                f"download of {MEGABYTES} MB, connections: {connections}",
                rates[0] / rates[1],
                "x",
                0.8,
                at_most=False,
                note=f"{rates[0]:.0f} MB/s, nginx {rates[1]:.0f} MB/s",
            )


def _rates(product: Product, urls: tuple[str, ...], connections: int) -> list[float]:
    """Fetch from each in turn, several times; give the middle of its megabytes a second.

    It is the way from memory to the client that is measured: the first pair reads both files from the disk.
    """
    seconds: list[list[float]] = [[] for _ in urls]
    for number in range(DOWNLOADS + 1):
        for of_one, url in zip(seconds, urls, strict=True):
            took = download_seconds(url, connections=connections, authority=product.certificate_authority)
            if number:
                of_one.append(took)
    return [connections * MEGABYTES / median(of_one) for of_one in seconds]


def _pack(path: Path) -> None:
    chance = random.Random(5)  # noqa: S311  nobody has to guess it
    files = {"main.tf": b'output "it" { value = 1 }\n'}
    files |= {f"data/{number}.bin": chance.randbytes(MEGABYTES * 1_000_000 // FILES) for number in range(FILES)}
    with tarfile.open(path, mode="w:gz", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, BytesIO(content))
