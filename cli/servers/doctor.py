"""`groundwork doctor`: everything the servers need, each with what to do about it."""

import asyncio
from dataclasses import asdict

from cli.output import PEOPLE, Output
from cli.servers.checks import CHECKS, Finding
from config.loading import load_settings


async def doctor(*, output: Output = PEOPLE) -> int:
    """Look at everything the servers need and say what to do; exit status 1 if something is wrong.

    It changes nothing, and goes on after a failure, so that one run tells everything.
    """
    settings = load_settings()
    findings: list[Finding] = []
    for name, check in CHECKS:
        output.progress(f"looking at {name} ...")
        try:
            findings += await asyncio.to_thread(check, settings)
        except Exception as error:  # a check that breaks is a finding too, and the others still count
            reason = next(iter(str(error).splitlines()), "") or type(error).__name__
            findings.append(Finding(name, reason, advice="look at the address and at the server's own log"))
    output.result([asdict(finding) for finding in findings], lambda: "\n".join(map(_line, findings)))
    return 0 if all(finding.ok for finding in findings) else 1


def _line(finding: Finding) -> str:
    if finding.ok:
        return f"ok    {finding.name}: {finding.state}"
    return f"FAIL  {finding.name}: {finding.state}\n      -> {finding.advice}"
