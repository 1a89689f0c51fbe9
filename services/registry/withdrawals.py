"""Use cases that tell people not to use a published version any more."""

from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, Protocol
from uuid import UUID

from domain.enumerating import first_of
from domain.identity.permissions import Permission
from domain.identity.rights import Target
from domain.registry.errors import ReplacementNotFound
from domain.registry.names import ModuleAddress, ProviderAddress
from domain.registry.versions import canonical, precedence
from domain.registry.withdrawals import Deprecation, Yank
from domain.scope import Scope
from services.changes import Changes
from services.registry.changing import changing
from services.registry.nouns import deprecation_of, yank_of
from storage import audit
from storage.database import Database, Session, now
from storage.registry import modules, providers
from storage.registry.changes import note_unseen
from storage.registry.tables import ModuleRow, ModuleVersionRow, ProviderRow, ProviderVersionRow

Address = ModuleAddress | ProviderAddress
VersionRow = ModuleVersionRow | ProviderVersionRow
NAMED: Final = 5
"""Versions that a refusal names."""


class _Queries(Protocol):
    """What is asked of the rows; the queries on modules and those on providers have it under the same names."""

    async def get_locked(self, session: Session, organization_id: UUID, address: Any, /) -> Any:  # noqa: ANN401  either's
        """Read it, and let nobody change it until the transaction ends."""

    async def get_version(self, session: Session, organization_id: UUID, address: Any, version: str, /) -> Any:  # noqa: ANN401  either's
        """Read one of its versions."""

    async def versions(self, session: Session, organization_id: UUID, of_id: UUID, /) -> dict[str, bool]:
        """Tell of each version that is offered whether it is deprecated."""

    async def note_latest(self, session: Session, of: Any, /) -> None:  # noqa: ANN401  either's
        """Bring its latest version up to date."""


@dataclass(frozen=True, slots=True)
class _Kind:
    """All that differs between modules and providers."""

    noun: str
    permission: Permission
    queries: _Queries


_KINDS: Final[Mapping[type[Address], _Kind]] = {
    ModuleAddress: _Kind("module", Permission.MODULE_PUBLISH, modules),
    ProviderAddress: _Kind("provider", Permission.PROVIDER_PUBLISH, providers),
}


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
        """Deprecate a version; one that is already gets the new words.

        A replacement that is written as a version is one of the same module or provider, and on offer; any other
        text is an address, of whatever registry.

        Raises:
            ReplacementNotFound: it is not, or is the version itself; names those that are.
        """
        replacement = replacement and (canonical(replacement) or replacement)
        async with self._changing(scope, address, version, "deprecated") as (session, of, row):
            known = deprecation_of(row)
            if known is not None and (known.message, known.replacement) == (message, replacement):
                return known
            if replacement is not None and canonical(replacement) is not None:
                queries = _KINDS[type(address)].queries
                offered = await queries.versions(session, scope.organization_id, of.id)
                _check_replacement(offered, row.version, replacement)
            wanted = Deprecation(message=message, replacement=replacement, deprecated_at=await now(session))
            row.deprecated_at, row.deprecation, row.replacement = wanted.deprecated_at, message, replacement
            return wanted

    async def undeprecate(self, scope: Scope, address: Address, version: str) -> None:
        """Take a deprecation back."""
        async with self._changing(scope, address, version, "undeprecated") as (_, _, row):
            row.deprecated_at = row.deprecation = row.replacement = None

    async def yank(self, scope: Scope, address: Address, version: str, reason: str) -> Yank:
        """Offer a version no longer; one that is yanked already gets the new reason."""
        async with self._changing(scope, address, version, "yanked") as (session, _, row):
            known = yank_of(row)
            if known is not None and known.reason == reason:
                return known
            wanted = Yank(reason=reason, yanked_at=await now(session))
            row.yanked_at, row.yank_reason = wanted.yanked_at, reason
            return wanted

    async def unyank(self, scope: Scope, address: Address, version: str) -> None:
        """Offer a version again."""
        async with self._changing(scope, address, version, "unyanked") as (_, _, row):
            row.yanked_at = row.yank_reason = None

    @asynccontextmanager
    async def _changing(
        self, scope: Scope, address: Address, version: str, deed: str
    ) -> AsyncIterator[tuple[Session, ModuleRow | ProviderRow, VersionRow]]:
        """Find a version, with what it is of, that nobody else changes meanwhile; what changes of it is a deed."""
        kind = _KINDS[type(address)]
        scope.require(kind.permission, Target(namespace=address.namespace))
        async with changing(self._database, self._changes, scope) as session:
            # Whoever publishes a version holds what it is of, too.
            of = await kind.queries.get_locked(session, scope.organization_id, address)
            row = await kind.queries.get_version(session, scope.organization_id, address, version)
            before = deprecation_of(row), yank_of(row)
            yield session, of, row
            deprecation, yank = deprecation_of(row), yank_of(row)
            if (deprecation, yank) == before:
                note_unseen(session)
            else:
                await session.flush()  # what is offered is asked of the rows
                await kind.queries.note_latest(session, of)
                audit.record(
                    session,
                    scope,
                    f"registry.{kind.noun}_{deed}",
                    (f"{kind.noun}_version", row.id),
                    address=address,
                    version=row.version,
                    deprecation=deprecation and deprecation.message,
                    replacement=deprecation and deprecation.replacement,
                    yank_reason=yank and yank.reason,
                )


def _check_replacement(offered: Collection[str], version: str, replacement: str) -> None:
    others = sorted(set(offered) - {version}, key=precedence, reverse=True)
    if replacement in others:
        return
    raise ReplacementNotFound(
        f"{replacement} is not on offer in place of {version}; "
        + (f"there are {first_of(others, NAMED)}: name one of them, " if others else "there is no other version: ")
        + "publish the replacement first, or name the address of another",
        version=version,
        replacement=replacement,
    )
