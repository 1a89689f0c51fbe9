"""One at a time: who changes the schema, or fills it, waits for its turn."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from sqlalchemy import Connection, text

from domain.errors import Busy

ADVISORY_LOCK: Final = 0x67776D6967  # any number that nobody else takes
PATIENCE_SECONDS: Final = 60.0
PAUSE_SECONDS: Final = 0.1


@contextmanager
def turn(connection: Connection) -> Iterator[None]:
    """Hold the lock that whoever migrates a database holds, for all transactions of the block.

    It is asked for again and again instead of waited for: a statement that waits has a snapshot, an index that is
    built concurrently waits for the end of every older snapshot, and the two would wait for each other.

    Raises:
        Busy: another one has held it for PATIENCE_SECONDS.
    """
    until = time.monotonic() + PATIENCE_SECONDS
    while not _ask(connection, "pg_try_advisory_lock"):
        if time.monotonic() > until:
            raise Busy(
                "another `groundwork migrate` is at work on this database; run this one again when it is done"
            )
        time.sleep(PAUSE_SECONDS)
    try:
        yield
    finally:
        connection.rollback()  # nothing to undo, unless the block failed
        _ask(connection, "pg_advisory_unlock")


def _ask(connection: Connection, function: str) -> bool:
    answer = connection.scalar(text(f"SELECT {function}(:key)"), {"key": ADVISORY_LOCK})
    connection.commit()
    return bool(answer)
