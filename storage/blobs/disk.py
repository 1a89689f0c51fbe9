"""Work that waits for a disk, and what is said when the disk does not work."""

import asyncio
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from domain.errors import Unavailable
from domain.outages import Outage

P = ParamSpec("P")
T = TypeVar("T")


async def on_disk(outage: Outage, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Do work that waits for the disk, off the event loop; a disk that is full or broken may do better later.

    Raises:
        Unavailable: the work raised OSError; the outage has begun.
    """
    try:
        return await asyncio.to_thread(work, *args, **kwargs)
    except OSError as error:
        raise disk_is_away(outage, error) from error


def disk_is_away(outage: Outage, error: OSError) -> Unavailable:
    """Say what is wrong with the disk: whoever looks after it has to know, and where it is the log says."""
    outage.began(error)
    return Unavailable(
        f"the blob store does not work now ({error.strerror}); it goes on by itself once an operator has made "
        "room on its disk or brought its folder back (setting blobs.path)"
    )
