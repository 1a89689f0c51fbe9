"""Who hears at once, in this process, that an organization's part of the registry has changed."""

from collections.abc import Callable
from uuid import UUID


class Changes:
    """Tells of changes after their commit, so that a writer reads what it wrote.

    Other processes hear of the same commits by NOTIFY; this one must not wait for that.
    """

    def __init__(self) -> None:
        """Begin with nobody listening."""
        self._listeners: list[Callable[[UUID], None]] = []

    def subscribe(self, listener: Callable[[UUID], None]) -> None:
        """Call this with the organization's id whenever something of it was published or revoked."""
        self._listeners.append(listener)

    def tell(self, organization_id: UUID) -> None:
        """Say that a change is committed."""
        for listener in self._listeners:
            listener(organization_id)
