"""Queries on the logs of runs."""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import BigInteger, Integer, Uuid, column, func, select, tuple_, values
from sqlalchemy.ext.asyncio import AsyncSession

from storage.database import insert_unless_there
from storage.provisioning.tables import LogChunkRow

MOST_CHUNKS = 100
"""Read in one query; who is far behind asks again at once."""
LARGEST_CHUNK = 1024 * 1024
"""Bytes of log in one row at most."""


@dataclass(frozen=True, slots=True)
class Watched:
    """A run, and how much of its log is known: all of the steps before `step_number`, `offset` bytes of it."""

    organization_id: UUID
    run_id: UUID
    step_number: int
    offset: int


async def add(
    session: AsyncSession, organization_id: UUID, run_id: UUID, step_number: int, *, offset: int, data: bytes
) -> None:
    """Store a piece of a step's log; the same piece again changes nothing."""
    for start in range(0, len(data), LARGEST_CHUNK):
        chunk = LogChunkRow(
            organization_id=organization_id,
            run_id=run_id,
            step_number=step_number,
            offset=offset + start,
            data=data[start : start + LARGEST_CHUNK],
        )
        await insert_unless_there(session, chunk)


async def end_of_step(session: AsyncSession, organization_id: UUID, run_id: UUID, step_number: int) -> int:
    """Tell how many bytes of a step's log are stored; pieces come in their order."""
    query = select(func.coalesce(func.max(LogChunkRow.offset + func.length(LogChunkRow.data)), 0)).where(
        LogChunkRow.organization_id == organization_id,
        LogChunkRow.run_id == run_id,
        LogChunkRow.step_number == step_number,
    )
    return (await session.execute(query)).scalar_one()


async def after(session: AsyncSession, watched: Iterable[Watched]) -> list[LogChunkRow]:
    """Read what came behind each of some positions, by run, step and offset: one query for all of them."""
    wanted = values(
        column("organization_id", Uuid),
        column("run_id", Uuid),
        column("step_number", Integer),
        column("after", BigInteger),
        name="wanted",
    ).data([(w.organization_id, w.run_id, w.step_number, w.offset) for w in watched])
    query = (
        select(LogChunkRow)
        .join(
            wanted,
            (LogChunkRow.organization_id == wanted.c.organization_id) & (LogChunkRow.run_id == wanted.c.run_id),
        )
        .where(
            # By the index to about the place, and from there exactly.
            tuple_(LogChunkRow.step_number, LogChunkRow.offset)
            >= tuple_(wanted.c.step_number, wanted.c.after - LARGEST_CHUNK),
            tuple_(LogChunkRow.step_number, LogChunkRow.offset + func.length(LogChunkRow.data))
            > tuple_(wanted.c.step_number, wanted.c.after),
        )
        .order_by(LogChunkRow.run_id, LogChunkRow.step_number, LogChunkRow.offset)
        .limit(MOST_CHUNKS)
    )
    return list(await session.scalars(query))
