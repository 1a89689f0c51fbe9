# ruff: noqa: INP001  a script, copied into the image by itself
"""The first process of a container of ours: it ends after all that its command started, with the command's status.

A worker that dies leaves its runners, which still have to interrupt their tools and to store what was made. Were
the first process to end with the worker, the system would kill them all at once. So this one stays until none is
left; a container engine that loses its patience meanwhile kills as ever. Signals are for the command.

    entrypoint.py COMMAND ARGUMENT...
"""

import ctypes
import os
import signal
import sys

FORWARDED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
PR_SET_CHILD_SUBREAPER = 36


def run(command: list[str]) -> int:
    """Run a command, and wait for it and for whatever it leaves behind; give its status as a shell would."""
    # Orphans come to this process, whether it is the first of its container or only the engine's init's child.
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    signal.pthread_sigmask(signal.SIG_BLOCK, FORWARDED)
    child = os.posix_spawnp(command[0], command, os.environ, setsigmask=[], setsigdef=[signal.SIGPIPE])
    ended: dict[int, int] = {}

    def forward(number: int, _frame: object) -> None:
        if child not in ended:  # its id may be somebody else's by then
            os.kill(child, number)

    for number in FORWARDED:
        signal.signal(number, forward)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, FORWARDED)
    while True:
        try:
            process, how = os.wait()
        except ChildProcessError:
            break
        if process == child:
            ended[process] = os.waitstatus_to_exitcode(how)
    status = ended[child]
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
