"""Use cases of who operates the blob store: is it the right one, and is everything there?"""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Iterable
from typing import Final

from domain.blobs import BlobStoreState, CheckedBlob
from domain.errors import BlobDamaged, Unavailable
from domain.ids import new_id
from storage.blobs import index
from storage.blobs.store import BlobStore, problem_of
from storage.database import Database

LOOKED_FOR: Final = 5
"""Blobs that a store without a mark is asked for: one of them is enough."""
SETTLES_AGAIN: Final = 10.0
"""Seconds until a store is looked at again that has no mark yet, and could not be given one."""
PAGE: Final = 500
"""Blobs whose names are read at once."""


class Blobs:
    """Looks after the blob store as a whole; everything here is the platform's own work."""

    def __init__(self, database: Database, store: BlobStore) -> None:
        """Take what the use cases need, made once at start-up."""
        self._database = database
        self._store = store

    async def look(self) -> BlobStoreState:
        """Tell whether the store is the one that the database speaks of.

        Raises:
            Unavailable: the database does not tell.
        """
        state, _ = await self._look()
        return state

    async def settle_soon(self) -> None:
        """Settle the store, as soon as it and the database answer; a wrong one, once the right one is back."""
        while True:
            with contextlib.suppress(Unavailable):  # who serves requests and probes tells of the database
                if await self.settle() is BlobStoreState.OK:
                    return
            await asyncio.sleep(SETTLES_AGAIN)

    async def settle(self) -> BlobStoreState:
        """Tell the same as `look`, and mark a store that has no mark yet: a new one, or one of an older release.

        Raises:
            Unavailable: the database does not tell, or takes no changes.
        """
        state, found = await self._look()
        if state is not BlobStoreState.UNMARKED:
            return state
        async with self._database.platform("mark the blob store") as session:
            mark = await index.add_mark(session, found or str(new_id()))
        if found is None:  # of any number of processes that start now, each writes the one of the first
            try:
                await self._store.write_mark(mark)
            except Unavailable:
                return BlobStoreState.AWAY
        return BlobStoreState.OK

    async def _look(self) -> tuple[BlobStoreState, str | None]:
        async with self._database.probe("look at the blob store") as session:
            mark = await index.mark(session)
        try:
            found = await self._store.read_mark()
            if found is not None and mark is not None:
                return (BlobStoreState.OK if found == mark else BlobStoreState.ANOTHER), found
        except Unavailable:
            return BlobStoreState.AWAY, None
        async with self._database.probe("choose blobs that tell a store without a mark") as session:
            known = await index.slice_from(session, _anywhere(), limit=LOOKED_FOR)
        try:
            is_its_own = not known or await self._has_any(sha256 for sha256, _ in known)
        except Unavailable:
            return BlobStoreState.AWAY, None
        return (BlobStoreState.UNMARKED if is_its_own else BlobStoreState.EMPTY), found

    async def _has_any(self, names: Iterable[str]) -> bool:
        for sha256 in names:
            try:
                if await self._store.size(sha256) is not None:
                    return True
            except BlobDamaged:
                return True
        return False

    async def count(self) -> tuple[int, int]:
        """Count the blobs that there should be, and their bytes.

        Raises:
            Unavailable.
        """
        async with self._database.platform("count blobs") as session:
            return await index.count(session)

    async def sample(self, count: int) -> AsyncIterator[CheckedBlob]:
        """Read so many blobs, each time others, and tell of each whether it is there and whole.

        Raises:
            Unavailable: the database or the store does not answer.
        """
        async with self._database.platform("choose blobs to check") as session:
            chosen = await index.slice_from(session, _anywhere(), limit=count)
        for sha256, size in chosen:
            yield await self._checked(sha256, size)

    async def check(self) -> AsyncIterator[CheckedBlob]:
        """Read all blobs that there should be, in order of name, and tell of each whether it is there and whole.

        Raises:
            Unavailable: the database or the store does not answer.
        """
        after = ""
        while True:
            async with self._database.platform("list blobs to check") as session:
                page = await index.page(session, after=after, limit=PAGE)
            if not page:
                return
            for sha256, size in page:
                yield await self._checked(sha256, size)
            after = page[-1][0]

    async def _checked(self, sha256: str, size: int) -> CheckedBlob:
        return CheckedBlob(sha256, size, await problem_of(self._store, sha256))


def _anywhere() -> str:
    """Give a name to begin at: names are hashes, so what follows any of them is as good a sample as another."""
    return secrets.token_hex(32)
