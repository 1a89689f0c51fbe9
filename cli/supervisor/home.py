"""The folder of `groundwork dev`: what is in it, who may read it, and who runs it."""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from config.settings import CONFIG_FILE, DEVELOPMENT_SECRETS
from domain.errors import ErrorKind, PlatformError
from integrations.embedded.certificates import ensure_certificates
from integrations.embedded.ports import LOOPBACK, Ports
from integrations.embedded.postgresql import PostgreSQL
from integrations.embedded.temporal import TemporalServer
from workers.composition import make_key_file

HOSTNAME: Final = "registry.groundwork.test"
KEYS: Final = ("key_encryption_key", "pepper", "signing_key")


class HomeInUse(PlatformError):
    """Another `groundwork dev` runs in this folder: stop it, or give this one another --home."""

    kind = ErrorKind.CONFLICT
    code = "dev.home_in_use"


class Home:
    """Where everything of one embedded installation is kept, in a folder that only its user may enter."""

    def __init__(self, path: Path) -> None:
        """Take the folder; `prepare` makes it."""
        self.path = path.expanduser().resolve()
        self.settings_file = self.path / "groundwork.toml"
        self.log_file = self.path / "groundwork.log"
        self.admin_key_file = self.path / "admin.key"
        self.postgresql = self.path / "postgresql"
        self.temporal = self.path / "temporal"
        self._lock = self.path / "supervisor.lock"

    def prepare(self) -> None:
        """Make the folder if it is not there; the rights of one that is are left as they are."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder. The system lets go of it when this process ends, however that happens.

        Raises:
            HomeInUse: somebody else holds it.
        """
        with os.fdopen(os.open(self._lock, os.O_RDWR | os.O_CREAT, 0o600), "r+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise HomeInUse(
                    f"groundwork dev runs in {self.path} already (process {file.read().strip()}): "
                    "stop it, or choose another --home"
                ) from None
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
            yield

    def holder(self) -> int | None:
        """Tell which process runs the folder; None when none does."""
        if not self._lock.exists():
            return None
        with self._lock.open("r+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                written = file.read()
                return int(written) if written else None
        return None

    def wait_for_release(self) -> None:
        """Return when nobody holds the folder."""
        with self._lock.open("r+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)

    def ports(self) -> dict[str, int]:
        """Give the ports of the home's servers, the same each time as far as they are free."""
        return Ports(self.path / "ports.json").choose(["api", "postgresql", "temporal", "temporal_web"])

    def write_settings(self, postgresql: PostgreSQL, temporal: TemporalServer, *, api_port: int) -> None:
        """Write the settings of the home's servers, and let this process read them too."""
        certificates = ensure_certificates(self.path / "tls", [HOSTNAME, "localhost", LOOPBACK])
        groups: dict[str, dict[str, object]] = {
            "database": {
                "owner_url": postgresql.owner_url,
                "app_url": postgresql.app_url,
                "platform_url": postgresql.platform_url,
            },
            "temporal": {
                "address": temporal.address,
                "namespace": temporal.namespace,
                "web_url": temporal.web_url,
            },
            "registry": {"hostname": HOSTNAME, "public_url": f"https://{LOOPBACK}:{api_port}"},
            "blobs": {"path": self.path / "blobs"},
            "secrets": self._keys(),
            "api": {
                "host": LOOPBACK,
                "port": api_port,
                "tls_certificate": certificates.certificate,
                "tls_key": certificates.key,
            },
            "runner": {"sandbox": "none", "work_path": self.path / "runs"},
            "tls": {"ca_certificate": certificates.ca_certificate},
            "logging": {"format": "human"},
        }
        lines = [
            "# Written by `groundwork dev` at each start; variables of the environment win over it.",
            'environment = "development"',
            f"home = {_toml(self.path)}",
        ]
        for group, values in groups.items():
            lines += ["", f"[{group}]", *(f"{name} = {_toml(value)}" for name, value in values.items())]
        write_private(self.settings_file, ("\n".join(lines) + "\n").encode())
        os.environ[CONFIG_FILE] = str(self.settings_file)

    def _keys(self) -> dict[str, object]:
        """Give the files of the installation's keys, made where they are missing."""
        directory = self.path / DEVELOPMENT_SECRETS
        directory.mkdir(mode=0o700, exist_ok=True)
        files: dict[str, object] = {}
        for name in KEYS:
            file = directory / name.replace("_", "-")
            if not file.exists():
                make_key_file(file)
            files[f"{name}_file"] = file
        return files


def write_private(path: Path, content: bytes) -> None:
    """Write a file of mode 0600 in one step."""
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    fresh.rename(path)


def _toml(value: object) -> str:
    """Write a value as TOML, whose basic strings take JSON's escapes."""
    return json.dumps(value, default=str)
