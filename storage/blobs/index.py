"""Queries on the index of blobs."""

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from storage.blobs.tables import BlobRow


async def add(session: AsyncSession, sizes: dict[str, int]) -> None:
    """Note blobs by name and size; those that are known stay as they are."""
    # In one order, so that two publications of the same bytes never wait for each other crosswise.
    values = [{"sha256": sha256, "size": sizes[sha256]} for sha256 in sorted(sizes)]
    await session.execute(insert(BlobRow).values(values).on_conflict_do_nothing())
