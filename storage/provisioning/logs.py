"""Queries on the logs of runs."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import BigInteger, Integer, Uuid, column, func, select, true, tuple_, values
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from storage.database import insert_unless_there
from storage.provisioning.tables import LogChunkRow

MOST_CHUNKS = 50
"""Read at once behind one position; who is further behind asks again at once."""
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


async def after(session: AsyncSession, watched: Sequence[Watched]) -> list[list[LogChunkRow]]:
    """Read what came behind each of some positions, in their order: one query for all of them.

    Each gets MOST_CHUNKS at most, so that a long log keeps nobody waiting who reads another.
    """
    wanted = values(
        column("number", Integer),
        column("organization_id", Uuid),
        column("run_id", Uuid),
        column("step_number", Integer),
        column("after", BigInteger),
        name="wanted",
    ).data([(n, w.organization_id, w.run_id, w.step_number, w.offset) for n, w in enumerate(watched)])
    behind = (
        select(LogChunkRow)
        .where(
            LogChunkRow.organization_id == wanted.c.organization_id,
            LogChunkRow.run_id == wanted.c.run_id,
            # By the index to about the place, and from there exactly.
            tuple_(LogChunkRow.step_number, LogChunkRow.offset)
            >= tuple_(wanted.c.step_number, wanted.c.after - LARGEST_CHUNK),
            tuple_(LogChunkRow.step_number, LogChunkRow.offset + func.length(LogChunkRow.data))
            > tuple_(wanted.c.step_number, wanted.c.after),
        )
        .order_by(LogChunkRow.step_number, LogChunkRow.offset)
        .limit(MOST_CHUNKS)
        .lateral()
    )
    chunk = aliased(LogChunkRow, behind)
    query = select(wanted.c.number, chunk).select_from(wanted.join(behind, true()))
    found: list[list[LogChunkRow]] = [[] for _ in watched]
    for number, row in await session.execute(query.order_by(wanted.c.number, chunk.step_number, chunk.offset)):
        found[number].append(row)
    return found
