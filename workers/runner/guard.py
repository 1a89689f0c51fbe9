"""The process between a runner and the CLI: it sees to it that no CLI is ever left running by itself.

Started as `python -I -S guard.py REPORT DEADLINE GRACE` with the CLI's environment, so it imports nothing of ours
and starts in a few milliseconds (typing and pathlib would double that). Orders come on standard input, each
ended by a zero byte:

    deadline SECONDS        stop the CLI when CLOCK_BOOTTIME passes this, unless another deadline comes
    interrupt               stop the CLI now
    run OUTPUT<US>ARG<US>…  run a command, its output appended to a file

and lines on standard output, repeated in the file REPORT for whoever comes after a crash, say what happened:

    started PID
    refused ERRNO
    ended EXIT_CODE interrupted|left killed|left    (a negative exit code is the signal that ended it)

To stop is one SIGINT to the CLI's own process, because a second one makes it drop its state, then GRACE seconds,
then SIGKILL to its process group. The end of standard input, which is the death of the runner, is an interrupt.
Once it has been told to stop, the guard starts nothing any more. What a command leaves behind is killed.
"""

import ctypes
import os
import select
import signal
import sys
import time

UNIT_SEPARATOR = "\x1f"
_SET_CHILD_SUBREAPER = 36
# Deadlines are looked at this often: a sleeping host stops the clock of poll(), not CLOCK_BOOTTIME.
_LOOK_EVERY = 0.5
_IGNORED = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE}


def _now() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Guard:
    """Runs one command after the other and obeys; see the module."""

    def __init__(self, report: str, deadline: float, grace: float) -> None:
        """Open the report; the deadline counts from the start on."""
        self._report_file = os.open(report, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._deadline = deadline
        self._grace = grace
        self._orders = b""
        self._listening = True
        self._stopping = False
        self._kill_at: float | None = None
        self._killed = False
        self._pid = 0
        self._pid_handle = -1
        self._poll = select.poll()
        self._poll.register(0, select.POLLIN)

    def watch(self) -> None:
        """Obey until the runner is gone or the deadline has passed, and no command is left."""
        while self._pid or (self._listening and not self._stopping):
            ready = {handle for handle, _ in self._poll.poll(1000 * self._patience())}
            if self._pid_handle in ready:
                self._bury()
            if 0 in ready:
                self._listen()
            if not self._stopping and _now() >= self._deadline:
                self._stop()
            if self._kill_at is not None and _now() >= self._kill_at:
                self._kill_at = None
                self._killed = True
                os.killpg(self._pid, signal.SIGKILL)

    def _patience(self) -> float:
        next_time = self._kill_at if self._stopping else self._deadline
        return _LOOK_EVERY if next_time is None else max(0.001, min(_LOOK_EVERY, next_time - _now()))

    def _listen(self) -> None:
        try:
            data = os.read(0, 65536)
        except OSError:
            data = b""
        if not data:
            self._listening = False
            self._poll.unregister(0)
            self._stop()
            return
        *orders, self._orders = (self._orders + data).split(b"\0")
        for order in orders:
            word, _, rest = os.fsdecode(order).partition(" ")
            if word == "deadline":
                self._deadline = float(rest)
            elif word == "interrupt":
                self._stop()
            elif word == "run" and not self._stopping and _now() < self._deadline:
                self._run(*rest.split(UNIT_SEPARATOR))

    def _run(self, output: str, *command: str) -> None:
        files = (
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, output, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        )
        try:
            self._pid = os.posix_spawn(
                command[0],
                command,
                os.environ,
                file_actions=files,
                setpgroup=0,
                setsigmask=(),
                setsigdef=_IGNORED,
            )
        except OSError as error:
            self._say(f"refused {error.errno}")
            return
        self._pid_handle = os.pidfd_open(self._pid)
        self._poll.register(self._pid_handle, select.POLLIN)
        self._say(f"started {self._pid}")

    def _stop(self) -> None:
        if self._stopping:
            return
        self._stopping = True
        if self._pid:
            self._kill_at = _now() + self._grace
            os.kill(self._pid, signal.SIGINT)

    def _bury(self) -> None:
        """Take the exit status, then end what the command left: its group, and what moved out of it."""
        os.waitid(os.P_PID, self._pid, os.WEXITED | os.WNOWAIT)
        os.killpg(self._pid, signal.SIGKILL)  # its number can't be another's before it is waited for
        _, status = os.waitpid(self._pid, 0)
        self._poll.unregister(self._pid_handle)
        os.close(self._pid_handle)
        self._pid, self._pid_handle = 0, -1
        _end_children(limit=self._grace)
        interrupted = "interrupted" if self._stopping else "left"
        killed = "killed" if self._killed else "left"
        self._kill_at = None
        self._say(f"ended {os.waitstatus_to_exitcode(status)} {interrupted} {killed}")

    def _say(self, line: str) -> None:
        data = f"{line}\n".encode()
        os.write(self._report_file, data)
        try:
            os.write(1, data)
        except OSError:
            return  # nobody listens; the report has it


def _end_children(limit: float) -> None:
    """Kill every process that has become ours; they came from the command, whose parent we were."""
    until = _now() + limit
    while _now() < until:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            _kill_children()
            signal.sigtimedwait({signal.SIGCHLD}, max(0.0, until - _now()))


def _kill_children() -> None:
    for name in os.listdir("/proc"):  # noqa: PTH208  importing pathlib takes longer than all of this
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", "rb") as file:  # noqa: PTH123  as above
                parent = int(file.read().rpartition(b")")[2].split()[1])  # behind the name: state, parent
            if parent == os.getpid():
                os.kill(int(name), signal.SIGKILL)
        except OSError:
            continue  # it has ended meanwhile, or has become another user's


def main() -> None:
    """Guard until the runner is done or gone."""
    for number in _IGNORED:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    ctypes.CDLL(None).prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    report, deadline, grace = sys.argv[1:]
    Guard(report, float(deadline), float(grace)).watch()


if __name__ == "__main__":
    main()
