"""Somebody of an organization, who types commands and has programs that call the API."""

import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from pydantic import SecretStr

from cli.client.api import Api
from cli.client.profile import CA, KEY, URL, Profile
from cli.demo.installation import Installation, clean_environment
from cli.demo.telling import Teller
from cli.errors import CheckFailed
from domain.errors import ToolMissing
from integrations.tools import find_tool

GROUNDWORK: Final = (sys.executable, "-P", "-m", "cli")
EVERYTHING: Final = re.compile("")


class Member:
    """Acts in one organization by one key. Everything typed runs for real, and is told of with its answer."""

    def __init__(
        self, teller: Teller, installation: Installation, key: str, directory: Path, *, checkout: Path
    ) -> None:
        """Take who tells, where the organization is, the key, a folder for configurations, and the project's."""
        self.teller = teller
        self.api = Api(Profile(url=installation.url, key=SecretStr(key), ca=installation.ca))
        self.directory = directory
        self._tool = _tool()
        self.tool_name = self._tool.name.partition("-")[0]
        self.engine = "terraform" if self.tool_name == "terraform" else "opentofu"
        self._left_out = (f"{directory.parent}/", f"{checkout}/")
        directory.mkdir(mode=0o700)
        self._terraformrc = directory / "terraform.rc"
        self._groundwork = {URL: installation.url, KEY: key, CA: str(installation.ca)}
        self._terraform = {
            "TF_CLI_CONFIG_FILE": str(self._terraformrc),
            "SSL_CERT_FILE": str(installation.ca),
            "CHECKPOINT_DISABLE": "1",
            "HOME": str(directory),
        }

    def configure_tools(self) -> None:
        """Let terraform and tofu find the registry."""
        self.groundwork("terraformrc", "--write", "--file", self._terraformrc)

    def groundwork(self, *words: str | Path, told: re.Pattern[str] = EVERYTHING, fails: bool = False) -> str:
        """Type a command of this product; give what it printed, and tell of the lines in which the pattern is.

        Raises:
            CheckFailed: it failed, or it had to and did not.
        """
        return self._type(GROUNDWORK, "groundwork", words, self._groundwork, told=told, fails=fails)

    def terraform(self, *words: str | Path, told: re.Pattern[str] = EVERYTHING) -> str:
        """Type a command of terraform, or of tofu where that is what there is.

        Raises:
            CheckFailed: it failed.
        """
        return self._type((str(self._tool),), self.tool_name, words, self._terraform, told=told)

    def _type(
        self,
        program: Sequence[str],
        name: str,
        words: Sequence[str | Path],
        environment: dict[str, str],
        *,
        told: re.Pattern[str],
        fails: bool = False,
    ) -> str:
        typed = " ".join((name, *(_quoted(self._short(str(word))) for word in words)))
        self.teller.say(f"$ {typed}")
        command = [*program, *map(str, words)]
        with subprocess.Popen(
            command,
            cwd=self.directory,
            env=clean_environment() | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            said = []
            try:
                for line in process.stdout or ():
                    said.append(line)
                    if told.search(line):
                        self.teller.say(self._short(line))
            except KeyboardInterrupt:  # after which `with` does not wait for the command
                process.terminate()
                process.wait()
                raise
        text = "".join(said)
        if (process.returncode != 0) is not fails:
            self.teller.say(text)
            raise CheckFailed(f"`{typed}` ended with status {process.returncode}")
        return text

    def _short(self, text: str) -> str:
        """Leave out where this machine keeps the demo's folder and the project."""
        for path in self._left_out:
            text = text.replace(path, "")
        return text


def _tool() -> Path:
    try:
        return find_tool("terraform")
    except ToolMissing:
        return find_tool("tofu")


def _quoted(word: str) -> str:
    return f"'{word}'" if set(word) & set(' "{}$*;&|<>') else word
