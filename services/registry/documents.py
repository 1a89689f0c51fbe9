"""What module versions declare: read after they are published, and never in the way of installing them."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Final
from uuid import UUID

from domain.errors import BlobDamaged, BlobNotFound, ErrorKind, PlatformError, Unavailable
from domain.identity.permissions import Permission
from domain.identity.rights import Target
from domain.long_work import TRANSFER_QUEUE, TickReport, Wake
from domain.registry.documents import (
    INGEST_WORKFLOW,
    Documents,
    DocumentsRead,
    DocumentsState,
    VersionDocuments,
    VersionReference,
)
from domain.registry.errors import DocumentsUnreadable
from domain.registry.names import ModuleAddress
from domain.scope import PLATFORM, Scope
from integrations.archives.members import ArchiveLimits
from integrations.documents.reading import Reader, read_documents
from integrations.scratch import scratch
from services.areas import look_after_overdue
from services.changes import Changes
from services.registry.changing import changing
from services.registry.nouns import documents_of
from storage import audit, outbox
from storage.blobs.store import BlobStore
from storage.database import Database, Session
from storage.registry import documents, modules
from storage.registry.changes import note_unseen
from storage.registry.tables import ModuleDocumentsRow, ModuleVersionRow

AREA: Final = "registry.documents"
"""The area that its wakes are of."""
_HINDERED: Final = "not read yet, this is tried again: "


class ModuleDocuments:
    """Reads documents, and gives what was read.

    It is the registry's area for the tick, see services.areas.Area.
    """

    hears_news: Final = False

    def __init__(
        self,
        database: Database,
        store: BlobStore,
        changes: Changes,
        *,
        limits: ArchiveLimits,
        find_reader: Callable[[], Reader],
    ) -> None:
        """Take what the use cases need, made once at start-up.

        Args:
            database: where the documents go.
            store: where the archives are.
            changes: told of what was read, since answers show it.
            limits: of what an archive unpacks to.
            find_reader: gives OpenTofu where documents are read; it raises ToolMissing.
        """
        self._database = database
        self._store = store
        self._changes = changes
        self._limits = limits
        self._find_reader = find_reader

    async def of(self, scope: Scope, version_id: UUID) -> VersionDocuments:
        """Give what is known of a version's documents."""
        async with self._database.transaction(scope) as session:
            return documents_of(await documents.find(session, scope.organization_id, version_id))

    async def read(self, reference: VersionReference) -> DocumentsRead:
        """Read a version's documents, unless they are known; again is harmless.

        What is wrong with the code or its archive is what they are then known for. What is wrong with this
        installation is noted for who waits.

        Raises:
            Unavailable, ToolMissing: they can't be read now.
        """
        while (read := await self._attempt(reference)) is None:
            pass  # somebody asked meanwhile, maybe since what was in the way no longer is: read them again
        return read

    async def _attempt(self, reference: VersionReference) -> DocumentsRead | None:
        """Read documents; None, with nothing written, where somebody had them read once more meanwhile."""
        scope = Scope(reference.organization_id, PLATFORM)
        async with self._database.transaction(scope) as session:
            row = await documents.find(session, scope.organization_id, reference.module_version_id)
            if row is None or row.state != DocumentsState.PENDING:
                return DocumentsRead(state=documents_of(row).state)
            _, version = await documents.version_of(session, scope.organization_id, reference.module_version_id)
            sha256, asked_at = version.sha256, row.asked_at
        try:
            reader = self._find_reader()
            found = await self._read(sha256, reader)
        except PlatformError as error:
            if error.kind is ErrorKind.UNAVAILABLE:
                await self._note_hindrance(scope, reference, asked_at, error.detail)
                raise
            give_up = partial(documents.give_up, reason=error.detail, reader=reader.name)
            return await self._settle(scope, reference, asked_at, give_up)
        keep = partial(documents.keep, found=found, reader=reader.name)
        return await self._settle(scope, reference, asked_at, keep)

    async def read_again(self, scope: Scope, address: ModuleAddress, version: str) -> VersionDocuments:
        """Have a version's documents read once more; harmless while they are being read.

        Raises:
            PermissionDenied, ModuleNotFound.
        """
        scope.require(Permission.MODULE_PUBLISH, Target(namespace=address.namespace))
        async with changing(self._database, self._changes, scope) as session:
            found = await modules.get_version(session, scope.organization_id, address, version)
            row = await documents.get_locked(session, found)
            documents.read_again(row)
            audit.record(session, scope, "registry.documents_requested", ("module_version", found.id))
            await outbox.enqueue(session, scope, wake_of(address, found))
            return documents_of(row)

    async def is_unfinished(self, organization_id: UUID, resource_id: str) -> bool:
        """Tell whether a version's documents are still to be read."""
        async with self._database.transaction(Scope(organization_id, PLATFORM)) as session:
            row = await documents.find(session, organization_id, UUID(resource_id))
            return row is not None and row.state == DocumentsState.PENDING

    async def look_after(self) -> TickReport:
        """Have those read that should have been, whatever became of their workflows."""
        return await look_after_overdue(AREA, self._database, documents.DUE, _wakes)

    async def _read(self, sha256: str, reader: Reader) -> Documents:
        try:
            return await self._read_here(sha256, reader)
        except OSError as error:
            raise Unavailable(
                f"the worker's folder of temporary files does not take the code: {error.strerror}",
                reason=str(error),
            ) from error

    async def _read_here(self, sha256: str, reader: Reader) -> Documents:
        with scratch("archive") as folder:
            archive = folder / "archive"
            with await asyncio.to_thread(archive.open, "wb") as file:
                try:
                    async for piece in self._store.open(sha256):
                        await asyncio.to_thread(file.write, piece)
                except (BlobNotFound, BlobDamaged) as error:
                    raise DocumentsUnreadable(
                        "the archive is gone from the blob store, or damaged there: have it restored, or publish "
                        "the same archive again, and then have it read once more",
                        sha256=sha256,
                    ) from error
            return await read_documents(archive, reader.path, self._limits)

    async def _settle(
        self,
        scope: Scope,
        reference: VersionReference,
        asked_at: datetime,
        write: Callable[[ModuleDocumentsRow], None],
    ) -> DocumentsRead | None:
        async with changing(self._database, self._changes, scope) as session:
            row = await documents.lock(session, scope.organization_id, reference.module_version_id)
            if row is None or row.state != DocumentsState.PENDING:  # another attempt was faster
                note_unseen(session)
                return DocumentsRead(state=documents_of(row).state)
            if row.asked_at != asked_at:
                note_unseen(session)
                return None
            write(row)
            return DocumentsRead(state=DocumentsState(row.state))

    async def _note_hindrance(
        self, scope: Scope, reference: VersionReference, asked_at: datetime, why: str
    ) -> None:
        async with changing(self._database, self._changes, scope) as session:
            wanted = scope.organization_id, reference.module_version_id, asked_at
            if not await documents.note_hindrance(session, *wanted, _HINDERED + why):
                note_unseen(session)


def wake_of(address: ModuleAddress, version: ModuleVersionRow) -> Wake:
    """Make the wake of a version's workflow."""
    reference = VersionReference(organization_id=version.organization_id, module_version_id=version.id)
    return Wake(
        workflow=INGEST_WORKFLOW,
        workflow_id=reference.workflow_id,
        task_queue=TRANSFER_QUEUE,
        input=reference,
        area=AREA,
        resource_id=str(version.id),
        summary=f"reads {address} {version.version}"[:398],
    )


async def _wakes(session: Session, organization_id: UUID, version_ids: Sequence[UUID]) -> list[Wake]:
    return [wake_of(*found) for found in await documents.versions_of(session, organization_id, version_ids)]
