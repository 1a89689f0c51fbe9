"""When each area was looked after last: how operators see that the tick runs."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Interval, delete, func, select, type_coerce
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from domain.long_work import LastTick, TickReport
from storage.database import Base


class TickRow(Base):
    """An area, and when it was looked after last; of a new one, since when it is expected."""

    __tablename__ = "tick"

    area: Mapped[str] = mapped_column(primary_key=True)
    looked_after_at: Mapped[datetime] = mapped_column(server_default=func.now())
    failed: Mapped[int] = mapped_column(server_default="0")
    not_reached: Mapped[int] = mapped_column(server_default="0")


async def expect(session: AsyncSession, areas: Collection[str]) -> None:
    """Begin to count the time of new areas, and forget those that are no more."""
    await session.execute(delete(TickRow).where(TickRow.area.not_in(areas)))
    await session.execute(insert(TickRow).values([{"area": area} for area in areas]).on_conflict_do_nothing())


async def note(session: AsyncSession, area: str, report: TickReport) -> None:
    """Write that an area has been looked after now."""
    done = insert(TickRow).values(area=area, failed=report.failed, not_reached=report.left)
    await session.execute(
        done.on_conflict_do_update(
            index_elements=[TickRow.area],
            set_={
                "looked_after_at": func.now(),
                "failed": done.excluded.failed,
                "not_reached": done.excluded.not_reached,
            },
        )
    )


async def every(session: AsyncSession) -> list[LastTick]:
    """List the areas' last ticks; none before the first one ever."""
    age = type_coerce(func.now() - TickRow.looked_after_at, Interval)
    rows = await session.execute(
        select(TickRow.area, age, TickRow.failed, TickRow.not_reached).order_by(TickRow.area)
    )
    return [LastTick(*row) for row in rows]
