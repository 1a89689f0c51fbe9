"""The end of every process of this product."""

import logging
import os
import sys
from typing import NoReturn


def end_process(status: int) -> NoReturn:
    """End at once with this status, after everything written has left.

    A process that held a Temporal client dies now and then of a signal while the interpreter takes itself apart,
    after all its work was done (sdk-python issue 300). So callers stop what they started, and then end here.
    """
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):  # nobody reads any more, or it was closed: there is nothing left to save
            status = status or 1
    os._exit(status)
