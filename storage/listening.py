"""Hearing of commits: LISTEN on a connection of its own, which a pooler must not stand before."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import psycopg
import structlog
from psycopg import sql

from domain.outages import Outage

RECONNECT_SECONDS: Final = 0.5
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Subscription:
    """Who hears what: `news(payload)` at each notification, `connected(bool)` when hearing begins and ends."""

    channel: str
    news: Callable[[str], None]
    connected: Callable[[bool], None]


class Listener:
    """Keeps one connection that listens, for everybody in the process who wants to know of commits.

    Notifications are news, never truth: while the connection is gone some are missed, so whoever keeps copies of
    data must drop them at both `connected(False)` and `connected(True)`, and use none in between.
    """

    def __init__(self, url: str, subscriptions: tuple[Subscription, ...]) -> None:
        """Take a URL (SQLAlchemy's form or libpq's) that no pooler stands behind."""
        self._url = url.replace("postgresql+psycopg://", "postgresql://", 1)
        self._subscriptions = subscriptions
        self._outage = Outage(log, "PostgreSQL")

    async def run(self) -> None:
        """Listen until cancelled, connecting again for as long as it takes."""
        self._tell(connected=False)  # whoever serves already hears of nothing yet
        while True:
            try:
                await self._listen()
            except psycopg.Error as error:
                self._outage.began(error)
            finally:
                self._tell(connected=False)
            await asyncio.sleep(RECONNECT_SECONDS)

    async def _listen(self) -> None:
        async with await psycopg.AsyncConnection.connect(
            self._url,
            autocommit=True,
            connect_timeout=3,
            keepalives_idle=5,
            keepalives_interval=2,
            keepalives_count=3,
        ) as connection:
            for channel in {subscription.channel for subscription in self._subscriptions}:
                await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
            self._tell(connected=True)
            self._outage.ended()
            async for notification in connection.notifies():
                for subscription in self._subscriptions:
                    if subscription.channel == notification.channel:
                        subscription.news(notification.payload)

    def _tell(self, *, connected: bool) -> None:
        for subscription in self._subscriptions:
            subscription.connected(connected)
