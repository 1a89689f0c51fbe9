"""Hearing that something of an organization has changed, from this process and from all others."""

from collections.abc import Callable
from uuid import UUID


class Changes:
    """Tells whoever keeps copies of one kind of thing that they are old.

    A change of this process is told right after its commit, so that a writer reads what it wrote; the same commit
    is heard once more by NOTIFY, as those of other processes are. While `heard` is false some may be missed, and
    no copy may be used.
    """

    def __init__(self) -> None:
        """Begin with nobody who keeps copies."""
        self._listeners: list[Callable[[UUID | None], None]] = []
        self.heard = True

    def subscribe(self, listener: Callable[[UUID | None], None]) -> None:
        """Call this with the organization of each change, or with None if it may have been anybody's."""
        self._listeners.append(listener)

    def tell(self, organization_id: UUID | None) -> None:
        """Say that a change is committed."""
        for listener in self._listeners:
            listener(organization_id)

    def hear(self, payload: str) -> None:
        """Take news from the channel: the organization whose things changed."""
        self.tell(UUID(payload) if payload else None)

    def hears(self, connected: bool) -> None:
        """Take note that changes of others can be heard from now on, or can't."""
        self.heard = connected
        self.tell(None)
