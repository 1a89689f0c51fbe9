"""The one way to connect to Temporal: every client, worker and test uses the same data converter."""

import functools
import logging
from typing import Final

from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.runtime import LogForwardingConfig, LoggingConfig, Runtime, TelemetryConfig
from temporalio.service import TLSConfig

from config.settings import TemporalSettings

LOGGED: Final = (
    "error,temporalio_common=warn,temporalio_sdk_core=warn,temporalio_sdk=warn,temporal_sdk_bridge=warn"
)
"""What the SDK's core may say: not that it tries again, several times a second while a server is away."""


async def connect(settings: TemporalSettings, *, lazy: bool = False) -> Client:
    """Connect as the settings say; a lazy client connects with its first call.

    Raises:
        RuntimeError: the server does not answer (never so when lazy).
    """
    return await Client.connect(
        settings.address,
        namespace=settings.namespace,
        api_key=None if settings.api_key is None else settings.api_key.get_secret_value(),
        tls=_tls(settings),
        data_converter=pydantic_data_converter,
        lazy=lazy,
        runtime=_runtime(),
    )


@functools.cache
def _runtime() -> Runtime:
    """Make the core's runtime, once in a process; it logs as everything else does."""
    forwarding = LogForwardingConfig(logging.getLogger("temporalio"), append_target_to_name=False)
    return Runtime(telemetry=TelemetryConfig(logging=LoggingConfig(filter=LOGGED, forwarding=forwarding)))


def _tls(settings: TemporalSettings) -> TLSConfig | bool:
    if not settings.tls:
        return False
    files = (settings.tls_ca, settings.tls_certificate, settings.tls_key)
    ca, certificate, key = (None if file is None else file.read_bytes() for file in files)
    return TLSConfig(server_root_ca_cert=ca, client_cert=certificate, client_private_key=key)
