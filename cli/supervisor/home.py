"""The folder of `groundwork dev`: what is in it, who may read it, and who runs it."""

import fcntl
import os
import shlex
import sysconfig
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from cli.errors import HomeInUse
from integrations.embedded.ports import Ports

DEFAULT_HOME: Final = Path("~/.local/share/groundwork")


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

    def facts(self) -> dict[str, str]:
        """Say where everything of a running home is."""
        settings = tomllib.loads(self.settings_file.read_text())
        return {
            "api": settings["registry"]["public_url"],
            "documentation": settings["registry"]["public_url"] + "/docs",
            "temporal": settings["temporal"]["web_url"],
            "certificate authority": settings["tls"]["ca_certificate"],
            "administrator's key": str(self.admin_key_file),
            "settings": str(self.settings_file),
        }

    def _named(self) -> str:
        """Say where the settings are to commands that would not look there by themselves."""
        is_default = self.path == DEFAULT_HOME.expanduser().resolve()
        return "" if is_default else f"GROUNDWORK_CONFIG_FILE={shlex.quote(str(self.settings_file))} "

    def in_words(self) -> str:
        """Write the facts for people, with what to try first."""
        facts = self.facts()
        commands = shlex.quote(sysconfig.get_path("scripts"))
        authority, key = map(shlex.quote, (facts["certificate authority"], str(self.admin_key_file)))
        return "\n".join(
            [
                *(f"  {name:<22} {value}" for name, value in facts.items()),
                "",
                "Try:",
                f"  export PATH={commands}:$PATH",
                f"  groundwork login {facts['api']} --ca {authority} < {key}",
                "  groundwork namespaces claim NAMESPACE",
                "  groundwork publish module DIR --namespace NAMESPACE --name NAME --system aws --version 1.0.0",
                "  groundwork run submit NAMESPACE/NAME/aws 1.0.0 --name first --follow",
                f"  {self._named()}groundwork doctor",
            ]
        )
