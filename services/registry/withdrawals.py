"""Use cases that tell people not to use a published version any more."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from domain.identity.permissions import Permission
from domain.identity.rights import Target
from domain.registry.names import ModuleAddress, ProviderAddress
from domain.registry.withdrawals import Deprecation, Yank
from domain.scope import Scope
from services.changes import Changes
from services.registry.changing import changing
from services.registry.nouns import deprecation_of, yank_of
from storage import audit
from storage.database import Database, Session, now
from storage.registry import modules, providers
from storage.registry.changes import note_unseen
from storage.registry.tables import (
    ModuleRow,
    ModuleVersionRow,
    ProviderRow,
    ProviderVersionRow,
)

Address = ModuleAddress | ProviderAddress
VersionRow = ModuleVersionRow | ProviderVersionRow
PERMISSIONS: Final = {"module": Permission.MODULE_PUBLISH, "provider": Permission.PROVIDER_PUBLISH}


class Withdrawals:
    """Deprecates and yanks versions of modules and providers, and takes either back.

    Each may be repeated: what is so already is left as it is, and no deed is recorded for it. Each raises
    PermissionDenied, ModuleNotFound and ProviderNotFound, and has changed nothing then.
    """

    def __init__(self, database: Database, changes: Changes) -> None:
        """Take what the use cases need, made once at start-up."""
        self._database = database
        self._changes = changes

    async def deprecate(
        self, scope: Scope, address: Address, version: str, message: str, replacement: str | None
    ) -> Deprecation:
        """Deprecate a version; one that is already gets the new words."""
        async with self._changing(scope, address, version, "deprecated") as (session, row):
            known = deprecation_of(row)
            if known is not None and (known.message, known.replacement) == (message, replacement):
                return known
            wanted = Deprecation(message=message, replacement=replacement, deprecated_at=await now(session))
            row.deprecated_at, row.deprecation, row.replacement = wanted.deprecated_at, message, replacement
            return wanted

    async def undeprecate(self, scope: Scope, address: Address, version: str) -> None:
        """Take a deprecation back."""
        async with self._changing(scope, address, version, "undeprecated") as (_, row):
            row.deprecated_at = row.deprecation = row.replacement = None

    async def yank(self, scope: Scope, address: Address, version: str, reason: str) -> Yank:
        """Offer a version no longer; one that is yanked already gets the new reason."""
        async with self._changing(scope, address, version, "yanked") as (session, row):
            known = yank_of(row)
            if known is not None and known.reason == reason:
                return known
            wanted = Yank(reason=reason, yanked_at=await now(session))
            row.yanked_at, row.yank_reason = wanted.yanked_at, reason
            return wanted

    async def unyank(self, scope: Scope, address: Address, version: str) -> None:
        """Offer a version again."""
        async with self._changing(scope, address, version, "unyanked") as (_, row):
            row.yanked_at = row.yank_reason = None

    @asynccontextmanager
    async def _changing(
        self, scope: Scope, address: Address, version: str, deed: str
    ) -> AsyncIterator[tuple[Session, VersionRow]]:
        """Find a version that nobody else changes meanwhile; what the caller changes of it becomes a deed."""
        noun = "module" if isinstance(address, ModuleAddress) else "provider"
        scope.require(PERMISSIONS[noun], Target(namespace=address.namespace))
        async with changing(self._database, self._changes, scope) as session:
            of = await _locked(session, scope, address)
            row = await _version(session, scope, address, version)
            before = deprecation_of(row), yank_of(row)
            yield session, row
            deprecation, yank = deprecation_of(row), yank_of(row)
            if (deprecation, yank) == before:
                note_unseen(session)
            else:
                await session.flush()  # what is offered is asked of the rows
                await _note_latest(session, of)
                audit.record(
                    session,
                    scope,
                    f"registry.{noun}_{deed}",
                    (f"{noun}_version", row.id),
                    address=address,
                    version=row.version,
                    deprecation=deprecation and deprecation.message,
                    replacement=deprecation and deprecation.replacement,
                    yank_reason=yank and yank.reason,
                )


async def _locked(session: Session, scope: Scope, address: Address) -> ModuleRow | ProviderRow:
    """Find what the version is of: whoever changes one of its versions holds it, as who publishes one does."""
    if isinstance(address, ModuleAddress):
        return await modules.get_locked(session, scope.organization_id, address)
    return await providers.get_locked(session, scope.organization_id, address)


async def _version(session: Session, scope: Scope, address: Address, version: str) -> VersionRow:
    if isinstance(address, ModuleAddress):
        return await modules.get_version(session, scope.organization_id, address, version)
    return await providers.get_version(session, scope.organization_id, address, version)


async def _note_latest(session: Session, of: ModuleRow | ProviderRow) -> None:
    if isinstance(of, ModuleRow):
        await modules.note_latest(session, of)
    else:
        await providers.note_latest(session, of)
