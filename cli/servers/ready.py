"""How a server says that it is ready: a line to a file descriptor that its supervisor gave it.

The convention is s6's notification-fd: nothing to poll, and no port or path to agree on.
"""

import os


def say_ready(descriptor: int | None) -> None:
    """Say it, if somebody listens."""
    if descriptor is not None:
        os.write(descriptor, b"\n")
        os.close(descriptor)
