"""Counting downloads: noted in memory on the way of the answer, written together a moment later.

What is written together is a batch with an id. It stays as it is until PostgreSQL has said that it is written, and
the id is stored in the same transaction: a batch whose outcome was never heard is written again, and counts once.
"""

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import structlog

from domain.errors import Busy, Unavailable
from domain.ids import new_id
from domain.registry.downloads import RUNS, DownloadKind, Given
from domain.registry.tools import LONGEST_USER_AGENT, OTHER, tool_of
from domain.scope import PLATFORM, Scope
from storage.database import Database
from storage.registry import download_batches

WRITE_SECONDS: Final = 5.0
MOST_NOTED: Final = 20_000
"""Different notes of one organization that wait to become batches: some 5 MB. While the database is away and there
are more, those are left out; what other organizations have noted is not touched by it."""
MOST_TOOLS: Final = 16
"""Tools that are told apart of one key in one hour; what it comes with beside them is counted as `other`. So a
version, a key and an hour have at most 17 rows from one process, whatever is sent as User-Agent."""
MOST_AT_ONCE: Final = 1_000
"""Notes that are written in one transaction: a statement of PostgreSQL takes 65,535 values, and each is seven."""
log = structlog.get_logger(__name__)

_Key = tuple[int, int, str]
"""Version, API key and tool. Ids are numbers here, since a UUID counts its hash each time."""


@dataclass(slots=True)
class _Note:
    given: Given
    api_key_id: UUID
    tool: str
    downloads: int = 0


@dataclass(frozen=True, slots=True)
class _Batch:
    id: UUID
    organization_id: UUID
    notes: tuple[_Note, ...]

    @property
    def downloads(self) -> int:
        return sum(note.downloads for note in self.notes)


class DownloadCounter:
    """Counts downloads by version, key and tool, in hours."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        """Take where counts are written, made once at start-up."""
        self._database = database
        self._clock = clock
        self._tools: defaultdict[int, set[str]] = defaultdict(set)
        self._tools_of = 0
        """The hour that the tools of keys are of."""
        self._noted: defaultdict[int, dict[_Key, _Note]] = defaultdict(dict)
        self._left_out: Counter[UUID] = Counter()
        self._batches: dict[UUID, _Batch] = {}
        self._writing = asyncio.Lock()

    def note(self, given: Given, api_key_id: UUID, user_agent: bytes) -> None:
        """Note that a key was told where a version is, and its User-Agent; it takes a microsecond."""
        tool = tool_of(user_agent[:LONGEST_USER_AGENT])
        of_organization = self._noted[given.organization_id.int]
        note = of_organization.get((given.version_id.int, api_key_id.int, tool))
        if note is None:
            tool = self._told_apart(api_key_id, tool)
            key = (given.version_id.int, api_key_id.int, tool)
            if key not in of_organization and len(of_organization) >= MOST_NOTED:
                self._left_out[given.organization_id] += 1
                return
            note = of_organization.setdefault(key, _Note(given, api_key_id, tool))
        note.downloads += 1

    async def write(self) -> None:
        """Write what was noted until now; what can't be written now is written the next time.

        It may be ended in the middle: whatever came of it, the next time counts each download once.
        """
        async with self._writing:
            for organization_id, downloads in self._left_out.items():
                log.warning("downloads_not_counted", organization_id=str(organization_id), downloads=downloads)
            self._left_out.clear()
            if await self._write_each(tuple(self._batches.values())):
                await self._write_each(self._make_batches())

    async def write_forever(self) -> None:
        """Write every WRITE_SECONDS until cancelled, and then once more."""
        try:
            while True:
                await asyncio.sleep(WRITE_SECONDS)
                await self.write()
        finally:
            await self.write()
            lost = sum(batch.downloads for batch in self._batches.values())
            lost += sum(note.downloads for notes in self._noted.values() for note in notes.values())
            if lost:
                log.warning("downloads_not_counted", downloads=lost)

    def _told_apart(self, api_key_id: UUID, tool: str) -> str:
        """Give the tool, or `other` if the key has come with MOST_TOOLS others in this hour."""
        hour = int(self._clock() // 3600)
        if hour != self._tools_of:
            self._tools.clear()
            self._tools_of = hour
        known = self._tools[api_key_id.int]
        if tool != OTHER and tool not in known:
            if len(known) >= MOST_TOOLS:
                return OTHER
            known.add(tool)
        return tool

    def _make_batches(self) -> list[_Batch]:
        """Make batches of what is noted, but of no organization that has some left: that bounds its memory."""
        behind = {batch.organization_id.int for batch in self._batches.values()}
        made: list[_Batch] = []
        for organization in self._noted.keys() - behind:
            notes = tuple(self._noted.pop(organization).values())
            for start in range(0, len(notes), MOST_AT_ONCE):
                together = notes[start : start + MOST_AT_ONCE]
                made.append(_Batch(new_id(), together[0].given.organization_id, together))
        self._batches |= {batch.id: batch for batch in made}
        return made

    async def _write_each(self, batches: Iterable[_Batch]) -> bool:
        """Write batches one by one; tell whether the database is there."""
        busy: set[UUID] = set()
        for batch in batches:
            if batch.organization_id in busy:
                continue  # its locks are waited for once, or the others' batches would wait for all of its
            try:
                await self._write(batch)
            except Busy:
                busy.add(batch.organization_id)
                continue
            except Unavailable:
                # For the others too; a stop must not wait for each of them. Next time another one is the first.
                self._batches[batch.id] = self._batches.pop(batch.id)
                return False
            except Exception:
                # What nobody foresaw in one organization must not end the counting in all of them.
                organization_id = str(batch.organization_id)
                log.exception("downloads_not_counted", organization_id=organization_id, downloads=batch.downloads)
            del self._batches[batch.id]
        return True

    async def _write(self, batch: _Batch) -> None:
        organization_id = batch.organization_id
        async with self._database.transaction(Scope(organization_id, PLATFORM)) as session:
            if not await download_batches.is_new(session, organization_id, batch.id):
                return
            of: dict[UUID, UUID] = {}
            for kind in DownloadKind:
                wanted = {note.given.version_id for note in batch.notes if note.given.kind is kind}
                if wanted:
                    of |= await download_batches.parents(session, organization_id, kind, wanted)
            keys = {note.api_key_id for note in batch.notes}
            of_runs = await download_batches.run_keys(session, organization_id, keys)
            counted: Counter[tuple[Given, UUID, str]] = Counter()
            for note in batch.notes:
                key_id = RUNS if note.api_key_id in of_runs else note.api_key_id
                counted[note.given, key_id, note.tool] += note.downloads
            counts = [
                download_batches.Count(given.kind, given.version_id, of[given.version_id], key_id, tool, downloads)
                for (given, key_id, tool), downloads in counted.items()
                if given.version_id in of  # it was there when it was answered
            ]
            await download_batches.add(session, organization_id, counts)
