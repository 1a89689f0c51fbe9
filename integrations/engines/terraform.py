"""The engine for terraform and for tofu, which differ less than their versions do."""

import asyncio
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from pydantic import JsonValue

from domain.deployments.sources import EngineName
from domain.provisioning.errors import EngineUnusable
from domain.provisioning.events import RunEvent, parse_line
from domain.provisioning.steps import StepOperation
from integrations.engines.command_line import FLAG, CommandLine
from integrations.engines.engine import StepFolder
from integrations.engines.values import as_variable

_SEARCH_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_FIRST_WITH_INIT_JSON: Final = {EngineName.TERRAFORM: (1, 9), EngineName.OPENTOFU: (1, 7)}
_PROBE_SECONDS: Final = 20
_MODES: Final[dict[StepOperation, dict[str, object]]] = {
    StepOperation.APPLY: {},
    StepOperation.PLAN: {},
    StepOperation.DESTROY: {"destroy": FLAG},
    StepOperation.REFRESH: {"refresh_only": FLAG},
}


class TerraformEngine:
    """See Engine."""

    def __init__(self, name: EngineName, path: Path, version: str) -> None:
        """Take the CLI and its version, which decides on an option of init."""
        self.name = name
        self.version = version
        self._command_line = CommandLine(path)
        numbers = tuple(int(number) for number in re.findall(r"\d+", version)[:2])
        self._init_speaks_json = numbers >= _FIRST_WITH_INIT_JSON[name]

    def init(self, folder: StepFolder, *, apply: bool) -> Sequence[str]:
        """See Engine."""
        return self._arguments(
            folder,
            "init",
            json=FLAG if self._init_speaks_json else None,
            lockfile="readonly" if apply else None,
        )

    def plan(self, folder: StepFolder, operation: StepOperation) -> Sequence[str]:
        """See Engine."""
        return self._arguments(
            folder, "plan", json=FLAG, detailed_exitcode=FLAG, out=folder.plan, **_MODES[operation]
        )

    def apply(self, folder: StepFolder) -> Sequence[str]:
        """See Engine."""
        return self._arguments(folder, "apply", str(folder.plan), json=FLAG)

    def show_plan(self, folder: StepFolder) -> Sequence[str]:
        """See Engine."""
        return self._command_line.arguments(folder.module, "show", str(folder.plan), no_color=FLAG)

    def describe_plan(self, folder: StepFolder) -> Sequence[str]:
        """See Engine."""
        return self._command_line.arguments(folder.module, "show", str(folder.plan), no_color=FLAG, json=FLAG)

    def outputs(self, folder: StepFolder) -> Sequence[str]:
        """See Engine."""
        return self._command_line.arguments(folder.module, "output", no_color=FLAG, json=FLAG)

    def environment(
        self,
        folder: StepFolder,
        variables: Mapping[str, JsonValue],
        *,
        ca_certificate: Path | None,
    ) -> dict[str, str]:
        """See Engine."""
        environment = {
            "PATH": _SEARCH_PATH,
            "HOME": str(folder.home),
            "TMPDIR": str(folder.temporary),
            "LANG": "C.UTF-8",
            "TF_CLI_CONFIG_FILE": str(folder.configuration),
            "TF_DATA_DIR": str(folder.data),
            "TF_IN_AUTOMATION": "1",
            "TF_INPUT": "0",
            "CHECKPOINT_DISABLE": "1",
        }
        if ca_certificate is not None:
            # Go reads the system's folder of certificates beside this file, so public servers stay trusted.
            environment["SSL_CERT_FILE"] = str(ca_certificate)
        return environment | {f"TF_VAR_{name}": as_variable(value) for name, value in variables.items()}

    def parse(self, line: bytes) -> RunEvent:
        """See Engine."""
        return parse_line(line)

    def _arguments(self, folder: StepFolder, command: str, *args: str, **options: object) -> Sequence[str]:
        return self._command_line.arguments(folder.module, command, *args, input=False, no_color=FLAG, **options)


async def open_engine(name: EngineName, path: Path) -> TerraformEngine:
    """Ask a CLI for its version and make its engine; one call of the CLI.

    Raises:
        EngineUnusable: it isn't there, doesn't start, or doesn't say its version.
    """
    try:
        async with asyncio.timeout(_PROBE_SECONDS):
            process = await asyncio.create_subprocess_exec(
                path,
                "version",
                "-json",
                env={"PATH": _SEARCH_PATH, "CHECKPOINT_DISABLE": "1", "HOME": "/nonexistent"},
                cwd="/",
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
            )
            try:
                said, _ = await process.communicate()
            except BaseException:
                process.kill()
                await process.wait()
                raise
        version = json.loads(said)["terraform_version"]  # both say it under this name
    except (OSError, TimeoutError, ValueError, KeyError, TypeError) as error:
        raise EngineUnusable(f"{name} at {path} does not say its version", path=str(path)) from error
    return TerraformEngine(name, path, str(version))
