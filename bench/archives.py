"""Modules for benchmarks, published as anybody publishes them."""

import asyncio
import io
import tarfile

from bench.product import Product


def module_archive(files: dict[str, str]) -> bytes:
    """Pack text files as a module's archive."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content.encode())
            archive.addfile(member, io.BytesIO(content.encode()))
    return packed.getvalue()


async def publish_module(product: Product, name: str, version: str, files: dict[str, str]) -> bytes:
    """Publish a module version in the namespace `bench`; give the bytes that were sent."""
    archive = module_archive(files)
    fields = {"namespace": "bench", "name": name, "system": "generic", "version": version}
    answer = await product.client.post(
        "/api/v1/modules", data=fields, files={"file": (f"{name}.tar.gz", archive, "application/gzip")}
    )
    answer.raise_for_status()
    return archive


async def documents_of(product: Product, name: str, version: str) -> None:
    """Wait until the product has read what a module declares: it does so beside whatever comes next."""
    path = f"/api/v1/modules/bench/{name}/generic/{version}/documents"
    while (await product.client.get(path)).raise_for_status().json()["state"] == "pending":  # noqa: ASYNC110  nothing tells it
        await asyncio.sleep(0.1)
