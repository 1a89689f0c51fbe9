"""What each area with long work does for the platform, so that no row depends on its workflow."""

from typing import Protocol
from uuid import UUID


class Area(Protocol):
    """Knows of its rows which are not done, whatever became of their workflows."""

    async def is_unfinished(self, organization_id: UUID, resource_id: str) -> bool:
        """Tell whether there still is something to do for a row that a wake names."""
        ...
