"""Use cases on modules."""

import asyncio
from collections.abc import AsyncIterable
from dataclasses import dataclass
from uuid import UUID

from domain.errors import BlobTooLarge
from domain.identity.permissions import Permission
from domain.identity.rights import Target
from domain.ids import new_id
from domain.registry.errors import UploadInvalid, UploadTooLarge, VersionExists
from domain.registry.modules import Module, ModuleVersion
from domain.registry.names import ModuleAddress
from domain.registry.search import ALL, ModuleSearch
from domain.registry.versions import Version, precedence
from domain.scope import Scope
from integrations.archives.module import check_module
from services.changes import Changes
from services.registry import documents
from services.registry.changing import changing
from services.registry.limits import RegistryLimits
from services.registry.nouns import module_version
from storage import audit, outbox
from storage.blobs import index
from storage.blobs.store import BlobStore
from storage.database import Database
from storage.registry import module_search, modules, namespaces
from storage.registry.changes import note_unseen
from storage.registry.tables import ModuleRow, ModuleVersionRow


@dataclass(frozen=True, slots=True)
class PublishModule:
    """What it takes to publish a version, beside its bytes."""

    address: ModuleAddress
    version: str
    description: str = ""
    """Without one, the version gets what lists show of the module until then."""


class Modules:
    """Publishes module versions and finds them. A published version never changes."""

    def __init__(self, database: Database, store: BlobStore, changes: Changes, limits: RegistryLimits) -> None:
        """Take what the use cases need, made once at start-up."""
        self._database = database
        self._store = store
        self._changes = changes
        self._limits = limits

    async def publish(
        self, scope: Scope, request: PublishModule, archive: AsyncIterable[bytes]
    ) -> tuple[ModuleVersion, bool]:
        """Publish a version; of any number at once with one version, one publishes.

        Nothing of the archive is asked for before the rest of the request is known to be good, and nothing is
        stored before the archive is.

        Returns:
            The version, and whether it is new: publishing the same bytes again is harmless.

        Raises:
            PermissionDenied, UploadInvalid, NameInvalid, VersionInvalid, NamespaceNotFound: before the first byte.
            UploadTooLarge, VersionExists, NotAModule, and what integrations.archives refuses.
        """
        scope.require(Permission.MODULE_PUBLISH, Target(namespace=request.address.namespace))
        if not request.description.isprintable():
            raise UploadInvalid(
                "the description is one line without control characters: terminals of others print it"
            )
        address, version = request.address.checked(), Version.parse(request.version)
        async with self._database.transaction(scope) as session:
            await namespaces.get(session, scope.organization_id, address.namespace)
            known = await modules.find_version_at(session, scope.organization_id, address, str(version))
            published = None if known is None else module_version(address, known)
        try:
            async with self._store.receive(archive, limit=self._limits.module_bytes) as received:
                # Before it is compared: what is no module differs from any, and that would not be what is wrong.
                form = await asyncio.to_thread(check_module, received.path, self._limits.module_archive)
                same = None if published is None else _same(published, received.sha256)
                await self._store.keep(received)  # also of a version that is there: the store may have lost it
                if same is not None:
                    return same, False
        except BlobTooLarge as error:
            limit = self._limits.module_bytes
            raise UploadTooLarge(
                f"the archive has more than {limit} bytes: leave out what is no code, or have the installation's "
                "operator raise the setting registry.module_bytes",
                limit=limit,
            ) from error
        row = ModuleVersionRow(
            organization_id=scope.organization_id,
            id=new_id(),
            version=str(version),
            description=request.description,
            sha256=received.sha256,
            size=received.size,
            format=form.value,
            published_by=scope.actor.as_json(),
        )
        return await self._add(scope, address, row)

    async def versions(self, scope: Scope, address: ModuleAddress) -> list[str]:
        """List the versions of a module that are offered, the highest first.

        Raises:
            ModuleNotFound.
        """
        async with self._database.transaction(scope) as session:
            module = await modules.get(session, scope.organization_id, address)
            found = await modules.versions(session, scope.organization_id, module.id)
        return sorted(found, key=precedence, reverse=True)

    async def get(self, scope: Scope, address: ModuleAddress, version: str) -> ModuleVersion:
        """Read one version; `v1.0` means 1.0.0, as to the tools.

        Raises:
            ModuleNotFound.
        """
        async with self._database.transaction(scope) as session:
            row = await modules.get_version(session, scope.organization_id, address, version)
            return module_version(address, row)

    async def page(
        self, scope: Scope, search: ModuleSearch = ALL, *, after: UUID | None, limit: int
    ) -> list[Module]:
        """List the modules that are searched for, in order of first publication."""
        async with self._database.transaction(scope) as session:
            rows = await module_search.page(session, scope.organization_id, search, after=after, limit=limit)
            return [Module.model_validate(row) for row in rows]

    async def published(
        self, scope: Scope, address: ModuleAddress, *, after: UUID | None, limit: int
    ) -> list[ModuleVersion]:
        """List a module's versions in order of publication, yanked ones included.

        Raises:
            ModuleNotFound.
        """
        async with self._database.transaction(scope) as session:
            module = await modules.get(session, scope.organization_id, address)
            rows = await modules.page_of_versions(
                session, scope.organization_id, module.id, after=after, limit=limit
            )
            return [module_version(address, row) for row in rows]

    async def _add(
        self, scope: Scope, address: ModuleAddress, row: ModuleVersionRow
    ) -> tuple[ModuleVersion, bool]:
        async with changing(self._database, self._changes, scope) as session:
            await index.add(session, {row.sha256: row.size})
            module = await modules.add_or_lock(
                session,
                ModuleRow(
                    organization_id=scope.organization_id,
                    id=new_id(),
                    namespace=address.namespace,
                    name=address.name,
                    system=address.system,
                    description=row.description,
                ),
            )
            known = await modules.find_version(session, scope.organization_id, module.id, row.version)
            if known is not None:
                note_unseen(session)
                return _same(module_version(address, known), row.sha256), False
            row.module_id = module.id
            row.description = row.description or module.description
            session.add(row)
            await session.flush()  # published_at is the database's
            await modules.note_latest(session, module)
            await outbox.enqueue(session, scope, documents.wake_of(address, row))  # the commit adds their row
            audit.record(
                session,
                scope,
                "registry.module_published",
                ("module_version", row.id),
                module=address,
                version=row.version,
                sha256=row.sha256,
            )
            return module_version(address, row), True


def _same(published: ModuleVersion, sha256: str) -> ModuleVersion:
    if published.sha256 != sha256:
        raise VersionExists(
            "this version was published with other bytes; publish the next version",
            version=published.version,
            published_sha256=published.sha256,
            sent_sha256=sha256,
        )
    return published
