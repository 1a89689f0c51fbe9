"""Who downloads what: the counts that services.registry.counter has written, added up."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from domain.identity.permissions import Permission
from domain.identity.rights import ORGANIZATION
from domain.registry.downloads import Consumer, DownloadInterval, DownloadKind, DownloadsInTime, MostDownloaded
from domain.registry.errors import PeriodInvalid
from domain.registry.names import ModuleAddress, ProviderAddress
from domain.scope import Scope
from storage.database import Database
from storage.registry import download_counts, modules, providers
from storage.registry.tables import ModuleVersionRow, ProviderVersionRow


@dataclass(frozen=True, slots=True)
class Period:
    """From a moment to another, the second not included."""

    begin: datetime
    end: datetime

    def __post_init__(self) -> None:
        """Hold the moments to their order.

        Raises:
            PeriodInvalid.
        """
        if self.begin >= self.end:
            raise PeriodInvalid("`from` has to be before `to`, which is now if it is left out")


class DownloadCounts:
    """Shows an organization's downloads by time, module, provider and key. Each use case reads; none counts."""

    def __init__(self, database: Database) -> None:
        """Take what the use cases need, made once at start-up."""
        self._database = database

    async def in_time(
        self, scope: Scope, period: Period, *, interval: DownloadInterval, kind: DownloadKind | None
    ) -> list[DownloadsInTime]:
        """Count downloads by hour or day; hours and days without any are left out.

        Raises:
            PermissionDenied.
        """
        scope.require(Permission.DOWNLOAD_READ, ORGANIZATION)
        async with self._database.transaction(scope) as session:
            rows = await download_counts.in_time(
                session, scope.organization_id, period.begin, period.end, interval=interval, kind=kind
            )
            return [DownloadsInTime(at=at, downloads=downloads) for at, downloads in rows]

    async def most_downloaded(
        self, scope: Scope, period: Period, *, kind: DownloadKind, limit: int
    ) -> list[MostDownloaded]:
        """List what was downloaded most, the most first.

        Raises:
            PermissionDenied.
        """
        scope.require(Permission.DOWNLOAD_READ, ORGANIZATION)
        async with self._database.transaction(scope) as session:
            return await download_counts.most_downloaded(
                session, scope.organization_id, period.begin, period.end, kind=kind, limit=limit
            )

    async def most_consumers(self, scope: Scope, period: Period, *, limit: int) -> list[Consumer]:
        """List the keys that have downloaded anything, the most first.

        Raises:
            PermissionDenied.
        """
        scope.require(Permission.DOWNLOAD_READ, ORGANIZATION)
        async with self._database.transaction(scope) as session:
            organization_id, begin, end = scope.organization_id, period.begin, period.end
            return await download_counts.most_consumers(session, organization_id, begin, end, limit=limit)

    async def consumers(
        self,
        scope: Scope,
        address: ModuleAddress | ProviderAddress,
        version: str,
        *,
        after: UUID | None,
        limit: int,
    ) -> list[Consumer]:
        """List the keys that have downloaded a version, in order of their making.

        Raises:
            PermissionDenied, ModuleNotFound, ProviderNotFound.
        """
        scope.require(Permission.DOWNLOAD_READ, ORGANIZATION)
        async with self._database.transaction(scope) as session:
            row: ModuleVersionRow | ProviderVersionRow
            match address:
                case ModuleAddress():
                    row = await modules.get_version(session, scope.organization_id, address, version)
                case ProviderAddress():
                    row = await providers.get_version(session, scope.organization_id, address, version)
            return await download_counts.consumers(
                session, scope.organization_id, row.id, after=after, limit=limit
            )
