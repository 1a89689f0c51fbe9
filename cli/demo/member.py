"""Somebody of an organization, who types commands and has programs that call the API."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from pydantic import SecretStr

from cli.client.api import Api
from cli.client.profile import CA, KEY, URL, Profile
from cli.demo.installation import Installation, clean_environment
from cli.demo.telling import CheckFailed, Teller
from integrations.tools import ToolMissing, find_tool

GROUNDWORK: Final = (sys.executable, "-P", "-m", "cli")
SHOWN_OF_A_FAILURE: Final = 800


class Member:
    """Acts in one organization by one key. Everything typed runs for real, and is told of with its answer."""

    def __init__(self, teller: Teller, installation: Installation, key: str, directory: Path) -> None:
        """Take who tells, where the organization is, the key, and a folder for configurations."""
        self.teller = teller
        self.api = Api(Profile(url=installation.url, key=SecretStr(key), ca=installation.ca))
        self.directory = directory
        self.tool = _tool()
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

    def groundwork(self, *words: str | Path, stdin: str = "", fails: bool = False) -> str:
        """Type a command of this product; give what it printed.

        Raises:
            CheckFailed: it failed, or it had to and did not.
        """
        return self._type(GROUNDWORK, "groundwork", words, self._groundwork, stdin=stdin, fails=fails)

    def terraform(self, *words: str | Path) -> str:
        """Type a command of terraform, or of tofu where that is what there is.

        Raises:
            CheckFailed: it failed.
        """
        return self._type((str(self.tool),), self.tool.name.partition("-")[0], words, self._terraform)

    def _type(
        self,
        program: Sequence[str],
        name: str,
        words: Sequence[str | Path],
        environment: dict[str, str],
        *,
        stdin: str = "",
        fails: bool = False,
    ) -> str:
        typed = " ".join((name, *(_quoted(self._short(str(word))) for word in words)))
        self.teller.say(f"$ {typed}")
        command = [*program, *map(str, words)]
        with subprocess.Popen(
            command,
            cwd=self.directory,
            env=clean_environment() | environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            said = []
            if process.stdin is not None:
                process.stdin.write(stdin)
                process.stdin.close()
            for line in process.stdout or ():
                said.append(line)
                self.teller.say(self._short(line))
        text = "".join(said)
        if (process.returncode != 0) is not fails:
            raise CheckFailed(f"`{typed}` ended with status {process.returncode}: {text[-SHOWN_OF_A_FAILURE:]}")
        return text

    def _short(self, text: str) -> str:
        return text.replace(f"{self.directory.parent}/", "")


def _tool() -> Path:
    try:
        return find_tool("terraform")
    except ToolMissing:
        return find_tool("tofu")


def _quoted(word: str) -> str:
    return f"'{word}'" if set(word) & set(' "{}$*;&|<>') else word
