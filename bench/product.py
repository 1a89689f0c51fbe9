"""The product as its users start it, in a folder of its own, for as long as a benchmark takes."""

import asyncio
import os
import ssl
import sys
import tempfile
import time
import tomllib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2

GROUNDWORK = Path(sys.executable).with_name("groundwork")


@dataclass(frozen=True, slots=True)
class Product:
    """A running installation, and an organization in it."""

    home: Path
    url: str
    certificate_authority: Path
    certificate: Path
    certificate_key: Path
    key: str
    client: httpx2.AsyncClient


@asynccontextmanager
async def running_product(namespace: str = "bench") -> AsyncIterator[Product]:
    """Start everything, make an organization with a claimed namespace, and stop everything at the end."""
    with tempfile.TemporaryDirectory(prefix="groundwork-bench-") as folder:
        home = Path(folder) / "home"
        await start(home)
        try:
            settings = tomllib.loads((home / "groundwork.toml").read_text())
            url = settings["registry"]["public_url"]
            authority = Path(settings["tls"]["ca_certificate"])
            trust = ssl.create_default_context(cafile=str(authority))
            async with httpx2.AsyncClient(base_url=url, verify=trust, timeout=60) as client:
                operator = {"Authorization": f"Bearer {(home / 'admin.key').read_text().strip()}"}
                body = {
                    "slug": "bench",
                    "display_name": "Bench",
                    "administrator_email": "bench@example.com",
                }
                answer = await client.post("/api/v1/organizations", json=body, headers=operator)
                key = answer.raise_for_status().json()["administrator_key"]
                client.headers["Authorization"] = f"Bearer {key}"
                (await client.post("/api/v1/namespaces", json={"name": namespace})).raise_for_status()
                certificate, certificate_key = (
                    Path(settings["api"][f"tls_{of}"]) for of in ("certificate", "key")
                )
                yield Product(home, url, authority, certificate, certificate_key, key, client)
        finally:
            await command("dev", "--home", str(home), "--stop")


async def start(home: Path) -> float:
    """Start the product in a folder; give the seconds until it said that it is ready."""
    began = time.monotonic()
    await command("dev", "--home", str(home), "--detach")
    return time.monotonic() - began


async def command(*arguments: str, environment: dict[str, str] | None = None) -> str:
    """Run a `groundwork` command; give what it printed.

    Raises:
        RuntimeError: it failed, with its last words.
    """
    process = await asyncio.create_subprocess_exec(
        GROUNDWORK,
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=os.environ | (environment or {}),
    )
    output, _ = await process.communicate()
    if process.returncode != 0:
        raise RuntimeError(f"groundwork {arguments[0]} failed: {output.decode()[-2000:]}")
    return output.decode()
