"""Queries on the index of blobs, and on the mark of their store."""

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from storage.blobs.tables import BlobRow, BlobStoreRow


async def add(session: AsyncSession, sizes: dict[str, int]) -> None:
    """Note blobs by name and size; those that are known stay as they are."""
    # In one order, so that two publications of the same bytes never wait for each other crosswise.
    values = [{"sha256": sha256, "size": sizes[sha256]} for sha256 in sorted(sizes)]
    await session.execute(insert(BlobRow).values(values).on_conflict_do_nothing())


async def page(session: AsyncSession, *, after: str, limit: int) -> list[tuple[str, int]]:
    """List blobs by name and size, in order of name, beginning behind the given one."""
    query = select(BlobRow.sha256, BlobRow.size).where(BlobRow.sha256 > after).order_by(BlobRow.sha256)
    return [(sha256, size) for sha256, size in await session.execute(query.limit(limit))]


async def slice_from(session: AsyncSession, start: str, *, limit: int) -> list[tuple[str, int]]:
    """List so many blobs by name and size, beginning behind a name and going on at the first one."""
    found = await page(session, after=start, limit=limit)
    first = [] if len(found) == limit else await page(session, after="", limit=limit - len(found))
    return found + [each for each in first if each not in found]


async def count(session: AsyncSession) -> tuple[int, int]:
    """Count the blobs and their bytes."""
    total = func.coalesce(func.sum(BlobRow.size), 0)
    blobs, size = (await session.execute(select(func.count(), total).select_from(BlobRow))).one()
    return blobs, int(size)


async def mark(session: AsyncSession) -> str | None:
    """Read the mark of the store that all of this is about; None where it has none yet."""
    return await session.scalar(select(BlobStoreRow.mark))


async def add_mark(session: AsyncSession, mark: str) -> str:
    """Note the store's mark unless there is one; give the one that there is."""
    await session.execute(insert(BlobStoreRow).values(mark=mark).on_conflict_do_nothing())
    return (await session.scalars(select(BlobStoreRow.mark))).one()
