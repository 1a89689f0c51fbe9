"""Hearing of commits: LISTEN on a connection of its own, which a pooler must not stand before."""

import asyncio
from collections.abc import Callable
from typing import Final

import psycopg
import structlog

RECONNECT_SECONDS: Final = 0.5
log = structlog.get_logger(__name__)


class Listener:
    """Keeps one connection that listens, and says when it does not.

    Notifications are news, never truth: while `connected` is false some are missed, so whoever keeps copies of
    data must not use them, and `on_gap` tells to drop what was kept.
    """

    def __init__(
        self,
        url: str,
        channels: tuple[str, ...],
        *,
        on_news: Callable[[str, str], None],
        on_gap: Callable[[], None],
    ) -> None:
        """Take a SQLAlchemy or libpq URL, the channels, and who hears: on_news(channel, payload), on_gap()."""
        self._url = url.replace("postgresql+psycopg://", "postgresql://", 1)
        self._channels = channels
        self._on_news = on_news
        self._on_gap = on_gap
        self.connected = False

    async def run(self) -> None:
        """Listen until cancelled, connecting again for as long as it takes."""
        while True:
            try:
                await self._listen()
            except psycopg.Error as error:
                log.warning("listener_disconnected", error=type(error).__name__)
            finally:
                if self.connected:
                    self.connected = False
                    self._on_gap()
            await asyncio.sleep(RECONNECT_SECONDS)

    async def _listen(self) -> None:
        async with await psycopg.AsyncConnection.connect(
            self._url, autocommit=True, connect_timeout=3, keepalives_idle=5, keepalives_interval=2
        ) as connection:
            for channel in self._channels:
                await connection.execute(psycopg.sql.SQL("LISTEN {}").format(psycopg.sql.Identifier(channel)))
            self._on_gap()  # what changed before LISTEN took hold was not heard
            self.connected = True
            async for notification in connection.notifies():
                self._on_news(notification.channel, notification.payload)
