"""What makes a folder an installation: keys, certificates, settings, schema and the first administrator."""

import asyncio
import json
import os
from typing import Final

from cli.private_files import write_private
from cli.servers.migrate import migrate_database
from cli.supervisor.home import Home
from cli.supervisor.keys import ensure_keys
from config.settings import CONFIG_FILE, Settings
from config.start import begin_process
from integrations.embedded.certificates import ensure_certificates
from integrations.embedded.ports import LOOPBACK
from integrations.embedded.postgresql import PostgreSQL
from integrations.embedded.temporal import TemporalServer
from workers.composition import open_services

HOSTNAME: Final = "registry.groundwork.test"
ADMINISTRATOR: Final = "admin@groundwork.test"
SLOTS: Final = min(5, max(2, os.cpu_count() or 2))
"""Runs at once: each keeps a process warm, and here all of them share the machine with the servers."""


def write_settings(home: Home, postgresql: PostgreSQL, temporal: TemporalServer, *, api_port: int) -> None:
    """Write the settings of the home's servers, and let this process read them too."""
    certificates = ensure_certificates(home.path / "tls", [HOSTNAME, "localhost", LOOPBACK])
    groups: dict[str, dict[str, object]] = {
        "database": {
            "owner_url": postgresql.owner_url,
            "app_url": postgresql.app_url,
            "platform_url": postgresql.platform_url,
        },
        "temporal": {
            "address": temporal.address,
            "namespace": temporal.namespace,
            "web_url": temporal.web_url,
        },
        "registry": {"hostname": HOSTNAME, "public_url": f"https://{LOOPBACK}:{api_port}"},
        "blobs": {"path": home.path / "blobs"},
        "secrets": {f"{name}_file": path for name, path in ensure_keys(home).items()},
        "api": {
            "host": LOOPBACK,
            "port": api_port,
            "tls_certificate": certificates.certificate,
            "tls_key": certificates.key,
        },
        "runner": {"sandbox": "none", "work_path": home.path / "runs", "slots": SLOTS},
        "tls": {"ca_certificate": certificates.ca_certificate},
        "logging": {"format": "human"},
    }
    lines = [
        "# Written by `groundwork dev` at each start; variables of the environment win over it.",
        'environment = "development"',
    ]
    for group, values in groups.items():
        lines += ["", f"[{group}]", *(f"{name} = {_toml(value)}" for name, value in values.items())]
    write_private(home.settings_file, ("\n".join(lines) + "\n").encode())
    os.environ[CONFIG_FILE] = str(home.settings_file)


def bring_to_life(home: Home) -> None:
    """Give the home's database its roles and schema, and the installation its first administrator.

    The key is in the home's file before its row is committed; where a crash came between, the next start makes
    another one, so that none is ever lost.
    """
    settings = begin_process()
    migrate_database(settings.database)
    asyncio.run(_bootstrap(settings, home))


async def _bootstrap(settings: Settings, home: Home) -> None:
    async with open_services(settings) as services:
        await services.envelope.check_key()
        await services.tenants.organizations.bootstrap(
            ADMINISTRATOR, keep=lambda key: write_private(home.admin_key_file, key.encode() + b"\n")
        )


def _toml(value: object) -> str:
    """Write a value as TOML, whose basic strings take JSON's escapes."""
    return json.dumps(value, default=str)
