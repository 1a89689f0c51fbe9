"""Runs a command that can read some paths and nothing else: `confined.py LIMITS PATH... -- COMMAND...`.

A program of its own, of the standard library alone, so that it starts in 15 ms. The kernel keeps the rules
(Landlock, https://docs.kernel.org/userspace-api/landlock.html) for the command and all its children: since Linux
5.13 they open no other file and write none, since 6.7 they reach no TCP port, since 6.12 no process outside. That
needs no rights and no packages. It leaves them UDP, sockets that have a path, and to ask whether a file is there
or change its mode. The command itself dies with who started it.
"""

import ctypes
import json
import os
import resource
import signal
import stat
import struct
import sys

CANNOT_CONFINE = 125
"""Status where the kernel can't, or where it is told not to."""
CANNOT_START = 126
"""Status where the command is not there, or can't be executed."""

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
"""System calls of every architecture that has Landlock."""
_VERSION, _PATH_BENEATH = 1, 1
_EXECUTE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 2, 1 << 3
_FILE_RIGHTS = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 5: (1 << 16) - 1}
"""All rights to files that there are, by the version that knows them."""
_OTHER_RIGHTS = {4: 3, 6: 3}
"""To bind and connect TCP ports; to reach abstract sockets and signal processes outside."""
_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38


def main(arguments: list[str]) -> int:
    """Become the command; return only if that can't be."""
    limits, *rest = arguments
    paths, command = rest[: rest.index("--")], rest[rest.index("--") + 1 :]
    try:
        for name, most in json.loads(limits).items():
            limit(getattr(resource, name), most)
        confine(paths)
    except (OSError, ValueError) as error:
        sys.stderr.write(f"a process can't be confined here (Landlock): {error}\n")
        return CANNOT_CONFINE
    try:
        os.execv(command[0], command)  # noqa: S606  what this program is for
    except OSError as error:
        sys.stderr.write(f"{command[0]}: {error}\n")
    return CANNOT_START


def limit(what: int, most: int) -> None:
    """Bound this process for good, by what it is bounded by already if that is less."""
    _, hard = resource.getrlimit(what)
    bound = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(what, (bound, bound))


def confine(paths: list[str]) -> None:
    """Leave this process, for good, nothing but to read these files and folders and execute what they hold.

    Raises:
        OSError: the kernel refuses.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    version = _call(libc, _CREATE_RULESET, None, ctypes.c_size_t(0), _VERSION)
    file_rights = max(rights for since, rights in _FILE_RIGHTS.items() if since <= version)
    other_rights = [rights for since, rights in _OTHER_RIGHTS.items() if since <= version]
    handled = struct.pack(f"={1 + len(other_rights)}Q", file_rights, *other_rights)
    ruleset = _call(libc, _CREATE_RULESET, handled, ctypes.c_size_t(len(handled)), 0)
    for path in paths:
        opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
        rights = _EXECUTE | _READ_FILE | (_READ_DIR if stat.S_ISDIR(os.fstat(opened).st_mode) else 0)
        _call(libc, _ADD_RULE, ruleset, _PATH_BENEATH, struct.pack("=Qi", rights, opened), 0)
        os.close(opened)
    _control(libc, _PR_SET_PDEATHSIG, signal.SIGKILL)
    _control(libc, _PR_SET_NO_NEW_PRIVS, 1)
    _call(libc, _RESTRICT_SELF, ruleset, 0)
    os.close(ruleset)


def _call(libc: ctypes.CDLL, number: int, *arguments: object) -> int:
    result = int(libc.syscall(ctypes.c_long(number), *arguments))
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def _control(libc: ctypes.CDLL, option: int, value: int) -> None:
    none = ctypes.c_ulong(0)
    if libc.prctl(option, ctypes.c_ulong(value), none, none, none) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
