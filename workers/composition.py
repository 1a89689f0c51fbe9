"""Puts the use cases together: the one place that knows what each is made from."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Final

from config.secrets import Secrets
from config.settings import Settings
from domain.cursors import CursorSigner
from domain.errors import Unavailable
from domain.registry.capability import Capabilities
from integrations.signatures import SignatureVerifier
from services.all import Services
from services.changes import Changes
from services.deployments.deployments import Deployments
from services.deployments.states import States
from services.identity.api_keys import ApiKeys
from services.identity.authentication import Authentication
from services.identity.hashing import KeyHasher
from services.operations import Operations
from services.provisioning.area import ProvisioningArea
from services.provisioning.logs import RunLogs
from services.provisioning.materials import Materials
from services.provisioning.modules import ModuleVersions
from services.provisioning.moves import RunMoves
from services.provisioning.outcomes import Outcomes
from services.provisioning.outputs import Outputs
from services.provisioning.run_keys import RunKeys
from services.provisioning.runs import Runs
from services.provisioning.step_states import StepStates
from services.provisioning.steps import Steps
from services.provisioning.tiers import Tiers
from services.provisioning.workers import Workers
from services.registry.downloads import Downloads
from services.registry.gpg_keys import GpgKeys
from services.registry.limits import RegistryLimits
from services.registry.modules import Modules
from services.registry.namespaces import Namespaces
from services.registry.providers import Providers
from services.registry.releases import Releases
from services.sealed_blobs import SealedBlobs
from services.secrets import Envelope
from services.tenants.organizations import Organizations
from services.upkeep import Upkeep
from storage.blobs.local import LocalBlobStore
from storage.blobs.store import BlobStore
from storage.database import Database
from storage.listening import Listener, Subscription
from storage.registry.namespaces import CHANNEL as REGISTRY_CHANNEL

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
    """Open the store of bytes that the settings name."""
    return LocalBlobStore(settings.blobs.path)


def registry_limits(settings: Settings) -> RegistryLimits:
    """Give the limits that the settings name."""
    registry = settings.registry
    return RegistryLimits(module_bytes=registry.module_bytes, package_bytes=registry.package_bytes)


def compose(
    database: Database,
    secrets: Secrets,
    blobs: BlobStore,
    *,
    lease: timedelta = timedelta(seconds=60),
    limits: RegistryLimits | None = None,
    hostname: str = "registry.groundwork.test",
) -> Services:
    """Make all use cases over one database and one blob store.

    Args:
        database: where the truth is.
        secrets: of the installation.
        blobs: where the bytes are.
        lease: how long a step of a run is its runner's without a word from it.
        limits: how large uploads may be.
        hostname: of the registry, as modules and lock files name it.
    """
    limits = limits or RegistryLimits()
    changes, authorization_changes = Changes(), Changes()
    hasher = KeyHasher()
    envelope = Envelope(database, secrets.key_encryption_key)
    modules = ModuleVersions(database)
    sealed = SealedBlobs(database, blobs, envelope)
    states = States(database, sealed)
    return Services(
        authentication=Authentication(database, hasher, secrets.pepper, authorization_changes),
        authorization_changes=authorization_changes,
        organizations=Organizations(database, hasher),
        api_keys=ApiKeys(database, hasher),
        envelope=envelope,
        cursors=CursorSigner(secrets.signing_key),
        namespaces=Namespaces(database),
        gpg_keys=GpgKeys(database, changes),
        modules=Modules(database, blobs, changes, limits),
        providers=Providers(database, Releases(blobs, SignatureVerifier(), limits), changes),
        downloads=Downloads(blobs, Capabilities(secrets.signing_key)),
        registry_changes=changes,
        tiers=Tiers(database, modules),
        deployments=Deployments(database),
        states=states,
        runs=Runs(database, modules, envelope),
        moves=RunMoves(database),
        area=ProvisioningArea(database),
        steps=Steps(database, lease=lease),
        outcomes=Outcomes(database, envelope, sealed),
        step_states=StepStates(database, states),
        materials=Materials(database, envelope, sealed),
        run_keys=RunKeys(database, hasher),
        outputs=Outputs(database, envelope, sealed),
        run_logs=RunLogs(database),
        workers=Workers(database),
        operations=Operations(database, hostname, limits),
        upkeep=Upkeep(database),
    )


@asynccontextmanager
async def open_services(settings: Settings) -> AsyncIterator[Services]:
    """Make all use cases as the settings say, and close what they hold at the end."""
    database = open_database(settings)
    try:
        yield compose(
            database,
            Secrets.read(settings),
            open_blobs(settings),
            lease=settings.runner.lease,
            limits=registry_limits(settings),
            hostname=settings.registry.hostname,
        )
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


async def listen_to_commits(settings: Settings, services: Services) -> None:
    """Keep what the process remembers in step with what other processes commit, until cancelled."""
    subscriptions = tuple(
        Subscription(channel, changes.hear, changes.hears)
        for channel, changes in (
            (AUTHORIZATION_CHANNEL, services.authorization_changes),
            (REGISTRY_CHANNEL, services.registry_changes),
        )
    )
    listener = Listener(settings.database.platform_url.get_secret_value(), subscriptions)
    await asyncio.gather(listener.run(), services.authentication.note_uses_forever())
