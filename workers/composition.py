"""Puts the areas' use cases together, as the settings say; what each is made from stands in its area's all.py."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Final

from config.secrets import Secrets
from config.settings import Settings
from domain.cursors import CursorSigner
from domain.errors import Unavailable
from services.all import Services
from services.blobs import Blobs
from services.deployments.all import make_deployments
from services.identity.all import make_identity
from services.identity.hashing import KeyHasher
from services.operations import Operations
from services.provisioning.all import make_provisioning
from services.registry.all import make_registry
from services.registry.limits import RegistryLimits
from services.sealed_blobs import SealedBlobs
from services.secrets import Envelope
from services.tenants.all import make_tenants
from services.upkeep import Upkeep
from storage.blobs.local import LocalBlobStore
from storage.blobs.store import BlobStore
from storage.database import Database
from storage.listening import Listener, Subscription
from storage.registry.changes import CHANNEL as REGISTRY_CHANNEL
from workers.background import keep_running, run_through

AUTHORIZATION_CHANNEL: Final = "groundwork_authorization"


def open_database(settings: Settings) -> Database:
    """Open the two ways into PostgreSQL that a server has; the caller closes them."""
    database = settings.database
    return Database(
        database.app_url.get_secret_value(),
        database.platform_url.get_secret_value(),
        pool_size=database.pool_size,
    )


def open_blobs(settings: Settings) -> BlobStore:
    """Open the store of bytes that the settings name; nothing has to be closed."""
    blobs = settings.blobs
    if blobs.s3 is None:
        return LocalBlobStore(blobs.path)
    from storage.blobs.s3 import Bucket, S3BlobStore  # noqa: PLC0415  0.3 s that others need not wait for

    bucket = Bucket(
        endpoint=blobs.s3.endpoint,
        name=blobs.s3.bucket,
        region=blobs.s3.region,
        access_key=blobs.s3.access_key,
        secret_key=blobs.s3.secret_key.get_secret_value(),
    )
    return S3BlobStore(blobs.path, bucket, gives_addresses=blobs.delivery == "presigned")


def compose(
    database: Database,
    secrets: Secrets,
    blobs: BlobStore,
    *,
    lease: timedelta,
    limits: RegistryLimits,
    hostname: str,
    tofu: Path | None = None,
) -> Services:
    """Make all use cases over one database and one blob store.

    Args:
        database: where the truth is.
        secrets: of the installation.
        blobs: where the bytes are.
        lease: how long a step of a run is its runner's without a word from it.
        limits: how large uploads may be.
        hostname: of the registry, as modules and lock files name it.
        tofu: what documents of modules are read with; None for the one on PATH.
    """
    hasher = KeyHasher()
    envelope = Envelope(database, secrets.key_encryption_key)
    sealed = SealedBlobs(database, blobs, envelope)
    looked_after = Blobs(database, blobs)
    deployments = make_deployments(database, sealed)
    return Services(
        identity=make_identity(database, hasher, pepper=secrets.pepper),
        tenants=make_tenants(database, hasher),
        registry=make_registry(database, blobs, signing_keys=secrets.signing_keys, limits=limits, tofu=tofu),
        deployments=deployments,
        provisioning=make_provisioning(database, envelope, sealed, deployments.states, hasher, lease=lease),
        operations=Operations(database, looked_after, hostname, limits),
        blobs=looked_after,
        upkeep=Upkeep(database),
        envelope=envelope,
        cursors=CursorSigner(*secrets.signing_keys),
    )


def make_services(settings: Settings, database: Database) -> Services:
    """Make all use cases as the settings say, over a database that the caller closes."""
    registry = settings.registry
    return compose(
        database,
        Secrets.read(settings),
        open_blobs(settings),
        lease=settings.runner.lease,
        limits=RegistryLimits(module_bytes=registry.module_bytes, package_bytes=registry.package_bytes),
        hostname=registry.hostname,
        tofu=settings.runner.tofu_path,
    )


@asynccontextmanager
async def open_services(settings: Settings) -> AsyncIterator[Services]:
    """Make all use cases as the settings say, and close what they hold at the end."""
    database = open_database(settings)
    try:
        yield make_services(settings, database)
    finally:
        await database.close()


async def check_key(settings: Settings) -> None:
    """Refuse to serve with another key-encryption key than the data was stored with.

    Without the database nobody can tell, and servers start without one.

    Raises:
        SealBroken: see Envelope.check_key.
    """
    async with open_services(settings) as services:
        with contextlib.suppress(Unavailable):
            await services.envelope.check_key()


async def keep_in_step(settings: Settings, services: Services) -> None:
    """Hear what other processes commit, write what this one counts, and mark a new blob store, until cancelled."""
    subscriptions = tuple(
        Subscription(channel, changes.hear, changes.hears)
        for channel, changes in (
            (AUTHORIZATION_CHANNEL, services.identity.changes),
            (REGISTRY_CHANNEL, services.registry.changes),
        )
    )
    listener = Listener(settings.database.platform_url.get_secret_value(), subscriptions)
    async with asyncio.TaskGroup() as tasks:  # which waits for the last writing of each
        tasks.create_task(keep_running(listener.run))
        tasks.create_task(keep_running(services.identity.authentication.note_uses_forever))
        tasks.create_task(keep_running(services.registry.counter.write_forever))
        tasks.create_task(run_through(services.blobs.settle_soon))
