"""Counting what is installed: noted in memory on the way of the answer, written together a moment later."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

import structlog

from domain.errors import Busy, Unavailable
from domain.identity.permissions import Permission
from domain.identity.rights import ORGANIZATION
from domain.registry.errors import PeriodInvalid
from domain.registry.names import ModuleAddress, ProviderAddress
from domain.registry.usage import (
    LONGEST_AGENT,
    Consumer,
    DownloadsInTime,
    Installed,
    MostInstalled,
    UsageInterval,
    UsageKind,
    installed_by,
    short_agent,
)
from domain.scope import PLATFORM, Scope
from storage.database import Database, Session
from storage.registry import modules, providers, usage

WRITE_SECONDS: Final = 5.0
MOST_NOTED: Final = 100_000
"""Different notes that wait to be written; while the database is away and there are more, those are left out."""
MOST_AT_ONCE: Final = 1_000
"""Notes that are written in one transaction: a statement of PostgreSQL takes 65,535 values, and each is seven."""
log = structlog.get_logger(__name__)


class _Note(NamedTuple):
    """What is counted together. It is made and looked up for each download, where a dataclass takes longer."""

    organization_id: UUID
    api_key_id: UUID
    path: str
    user_agent: bytes


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


class Usage:
    """Counts downloads by version, key and tool, in hours."""

    def __init__(self, database: Database) -> None:
        """Take what the use cases need, made once at start-up."""
        self._database = database
        self._noted: Counter[_Note] = Counter()
        self._left_out = 0
        self._writing = asyncio.Lock()

    def note(self, organization_id: UUID, api_key_id: UUID, path: str, user_agent: bytes) -> None:
        """Note that a caller was told where something is, by the path that it asked; it takes a microsecond."""
        # Cut here, or who sends long words could have the memory of this process filled with them.
        note = _Note(organization_id, api_key_id, path, user_agent[:LONGEST_AGENT])
        count = self._noted.get(note, 0)
        if count == 0 and len(self._noted) >= MOST_NOTED:
            self._left_out += 1
        else:
            self._noted[note] = count + 1

    async def write(self) -> None:
        """Write what was noted until now; what can't be written now is written the next time.

        Ending the call in the middle may count what was just written once more: see `write_forever`.
        """
        async with self._writing:
            left_out, self._left_out = self._left_out, 0
            if left_out:
                log.warning("downloads_not_counted", downloads=left_out)
            for organization_id, notes in self._batches():
                try:
                    await self._write(organization_id, notes)
                except Busy:
                    continue
                except Unavailable:
                    return  # for the others too; a stop must not wait for each of them
                except Exception:
                    # What nobody foresaw in one organization must not end the counting in all of them.
                    log.exception("downloads_not_counted", downloads=notes.total())
                self._forget(notes)

    async def write_forever(self) -> None:
        """Write every WRITE_SECONDS until cancelled, and then once more, after what is being written."""
        try:
            while True:
                await asyncio.sleep(WRITE_SECONDS)
                writing = asyncio.ensure_future(self.write())  # shield alone does not hold on to it
                await asyncio.shield(writing)
        finally:
            await self.write()
            if self._noted:
                log.warning("downloads_not_counted", downloads=self._noted.total())

    async def in_time(
        self, scope: Scope, period: Period, *, interval: UsageInterval, kind: UsageKind | None
    ) -> list[DownloadsInTime]:
        """Count downloads by hour or day; hours and days without any are left out.

        Raises:
            PermissionDenied.
        """
        scope.require(Permission.USAGE_READ, ORGANIZATION)
        async with self._database.transaction(scope) as session:
            rows = await usage.in_time(
                session, scope.organization_id, period.begin, period.end, interval=interval, kind=kind
            )
            return [DownloadsInTime(at=at, downloads=downloads) for at, downloads in rows]

    async def most_installed(
        self, scope: Scope, period: Period, *, kind: UsageKind, limit: int
    ) -> list[MostInstalled]:
        """List what was installed most, the most first.

        Raises:
            PermissionDenied.
        """
        scope.require(Permission.USAGE_READ, ORGANIZATION)
        async with self._database.transaction(scope) as session:
            return await usage.most_installed(
                session, scope.organization_id, period.begin, period.end, kind=kind, limit=limit
            )

    async def consumers_of_module(
        self, scope: Scope, address: ModuleAddress, version: str, *, after: UUID | None, limit: int
    ) -> list[Consumer]:
        """List the keys that have installed a version, in order of their making.

        Raises:
            PermissionDenied, ModuleNotFound.
        """
        scope.require(Permission.USAGE_READ, ORGANIZATION)
        async with self._database.transaction(scope) as session:
            module = await modules.get(session, scope.organization_id, address)
            row = await modules.find_version(session, scope.organization_id, module.id, version)
            return await usage.consumers(
                session, scope.organization_id, row.id if row else None, after=after, limit=limit
            )

    async def consumers_of_provider(
        self, scope: Scope, address: ProviderAddress, version: str, *, after: UUID | None, limit: int
    ) -> list[Consumer]:
        """List the keys that have installed a release, in order of their making.

        Raises:
            PermissionDenied, ProviderNotFound.
        """
        scope.require(Permission.USAGE_READ, ORGANIZATION)
        async with self._database.transaction(scope) as session:
            provider = await providers.get(session, scope.organization_id, address)
            row = await providers.find_version(session, scope.organization_id, provider.id, version)
            return await usage.consumers(
                session, scope.organization_id, row.id if row else None, after=after, limit=limit
            )

    def _forget(self, written: Counter[_Note]) -> None:
        for note, count in written.items():
            self._noted[note] -= count
            if not self._noted[note]:  # else more was noted meanwhile
                del self._noted[note]

    def _batches(self) -> list[tuple[UUID, Counter[_Note]]]:
        by_organization: defaultdict[UUID, list[tuple[_Note, int]]] = defaultdict(list)
        for note, count in self._noted.items():
            by_organization[note.organization_id].append((note, count))
        return [
            (organization_id, Counter(dict(notes[start : start + MOST_AT_ONCE])))
            for organization_id, notes in by_organization.items()
            for start in range(0, len(notes), MOST_AT_ONCE)
        ]

    async def _write(self, organization_id: UUID, notes: Counter[_Note]) -> None:
        counted: Counter[tuple[Installed, UUID, str]] = Counter()
        for note, count in notes.items():
            installed = installed_by(note.path)
            if installed is not None:
                counted[installed, note.api_key_id, short_agent(note.user_agent)] += count
        scope = Scope(organization_id, PLATFORM)
        async with self._database.transaction(scope) as session:
            found = await _find(session, organization_id, [installed for installed, _, _ in counted])
            rows = [
                usage.Count(installed.kind, found[installed], key_id, agent, count)
                for (installed, key_id, agent), count in counted.items()
                if installed in found  # it was there when it was answered
            ]
            await usage.add(session, organization_id, rows)


async def _find(
    session: Session, organization_id: UUID, wanted: Sequence[Installed]
) -> dict[Installed, usage.Counted]:
    found: dict[Installed, usage.Counted] = {}
    for kind, find in ((UsageKind.MODULE, usage.module_versions), (UsageKind.PROVIDER, usage.provider_versions)):
        of_kind = {each for each in wanted if each.kind is kind}
        if of_kind:
            found.update(await find(session, organization_id, of_kind))
    return found
