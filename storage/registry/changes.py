"""How processes hear of each other's changes of the registry."""

from typing import Final
from uuid import UUID

from sqlalchemy import func
from sqlalchemy.ext.asyncio import AsyncSession

CHANNEL: Final = "groundwork_registry"
_UNSEEN: Final = "unseen"


def note_unseen(session: AsyncSession) -> None:
    """Note that no answer shows what the session's transaction changes, so that nobody need hear of it."""
    session.info[_UNSEEN] = True


async def tell(session: AsyncSession, organization_id: UUID) -> bool:
    """Let every process hear, at the commit, that the organization's part of the registry has changed.

    Returns:
        Whether they will: not of what `note_unseen` was said of.
    """
    if _UNSEEN in session.info:
        return False
    await session.execute(func.pg_notify(CHANNEL, str(organization_id)).select())
    return True
