"""Counting downloads: noted in memory on the way of the answer, written together a moment later."""

import asyncio
from collections import Counter, defaultdict
from typing import Final, NamedTuple
from uuid import UUID

import structlog

from domain.errors import Busy, Unavailable
from domain.registry.downloads import LONGEST_AGENT, DownloadKind, Given, short_agent
from domain.scope import PLATFORM, Scope
from storage.database import Database
from storage.registry import download_counts

WRITE_SECONDS: Final = 5.0
MOST_NOTED: Final = 100_000
"""Different notes that wait to be written; while the database is away and there are more, those are left out."""
MOST_AT_ONCE: Final = 1_000
"""Notes that are written in one transaction: a statement of PostgreSQL takes 65,535 values, and each is seven."""
log = structlog.get_logger(__name__)


class _Note(NamedTuple):
    """What is counted together. It is made and looked up for each download, where a dataclass takes longer."""

    given: Given
    api_key_id: UUID
    user_agent: bytes


class DownloadCounter:
    """Counts downloads by version, key and tool, in hours."""

    def __init__(self, database: Database) -> None:
        """Take where counts are written, made once at start-up."""
        self._database = database
        self._noted: Counter[_Note] = Counter()
        self._left_out = 0
        self._writing = asyncio.Lock()

    def note(self, given: Given, api_key_id: UUID, user_agent: bytes) -> None:
        """Note that a key was told where a version is, and its User-Agent; it takes a microsecond."""
        # Cut here, or who sends long words could have the memory of this process filled with them.
        note = _Note(given, api_key_id, user_agent[:LONGEST_AGENT])
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

    def _forget(self, written: Counter[_Note]) -> None:
        for note, count in written.items():
            self._noted[note] -= count
            if not self._noted[note]:  # else more was noted meanwhile
                del self._noted[note]

    def _batches(self) -> list[tuple[UUID, Counter[_Note]]]:
        by_organization: defaultdict[UUID, list[tuple[_Note, int]]] = defaultdict(list)
        for note, count in self._noted.items():
            by_organization[note.given.organization_id].append((note, count))
        return [
            (organization_id, Counter(dict(notes[start : start + MOST_AT_ONCE])))
            for organization_id, notes in by_organization.items()
            for start in range(0, len(notes), MOST_AT_ONCE)
        ]

    async def _write(self, organization_id: UUID, notes: Counter[_Note]) -> None:
        counted: Counter[tuple[Given, UUID, str]] = Counter()
        for note, count in notes.items():
            counted[note.given, note.api_key_id, short_agent(note.user_agent)] += count
        async with self._database.transaction(Scope(organization_id, PLATFORM)) as session:
            of: dict[UUID, UUID] = {}
            for kind in DownloadKind:
                wanted = {given.version_id for given, _, _ in counted if given.kind is kind}
                if wanted:
                    of |= await download_counts.parents(session, organization_id, kind, wanted)
            rows = [
                download_counts.Count(given.kind, given.version_id, of[given.version_id], key_id, agent, count)
                for (given, key_id, agent), count in counted.items()
                if given.version_id in of  # it was there when it was answered
            ]
            await download_counts.add(session, organization_id, rows)
