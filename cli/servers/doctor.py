"""`groundwork doctor`: everything the servers need, each with what to do about it."""

import asyncio
import os
from dataclasses import asdict

from cli.output import PEOPLE, Output
from cli.servers.checks import CHECKS
from cli.servers.findings import Finding
from cli.supervisor.home import DEFAULT_HOME, Home
from config.loading import OTHERS
from config.settings import CONFIG_FILE, PREFIX
from config.start import begin_process
from domain.errors import SettingsInvalid


async def doctor(*, output: Output = PEOPLE) -> int:
    """Look at what the servers need and at what runs, and say what to do; exit status 1 if something is wrong.

    It changes nothing, and goes on after a failure, so that one run tells everything. Without any settings it
    looks at what `groundwork dev` runs in its default folder.
    """
    findings = [Finding("settings", f"from {find_settings()}")]
    settings = begin_process()
    for name, check in CHECKS:
        output.progress(f"looking at {name} ...")
        try:
            findings += await asyncio.to_thread(check, settings)
        except Exception as error:  # a check that breaks is a finding too, and the others still count
            reason = next(iter(str(error).splitlines()), "") or type(error).__name__
            findings.append(Finding(name, reason, advice="look at the address and at the server's own log"))
    output.result([asdict(finding) for finding in findings], lambda: "\n".join(map(_line, findings)))
    return 0 if all(finding.ok for finding in findings) else 1


def find_settings() -> str:
    """Say where the settings come from; where nobody said so, name the file of the default home to this process.

    Raises:
        SettingsInvalid: there are none.
    """
    if named := os.environ.get(CONFIG_FILE):
        return named
    if any(name.upper().startswith(PREFIX) and name.upper() not in OTHERS for name in os.environ):
        return "the environment"
    home = Home(DEFAULT_HOME)
    if not home.settings_file.exists():
        raise SettingsInvalid(
            f"there are no settings: name their file by {CONFIG_FILE}, or start `groundwork dev` "
            f"({home.settings_file} would be looked at)"
        )
    os.environ[CONFIG_FILE] = str(home.settings_file)
    os.environ.pop("DATABASE_URL", None)  # in a developer's shell it is another program's database
    return str(home.settings_file)


def _line(finding: Finding) -> str:
    if finding.ok:
        return f"ok    {finding.name}: {finding.state}"
    return f"FAIL  {finding.name}: {finding.state}\n      -> {finding.advice}"
