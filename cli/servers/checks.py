"""What `groundwork doctor` looks at. A check gives findings, and raises only what it did not expect."""

import asyncio
import contextlib
import shutil
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from temporalio.service import RPCError, RPCStatusCode

from cli.servers import running
from cli.servers.findings import Finding
from config.secrets import Secrets
from config.settings import DEVELOPMENT_SECRETS, S3Settings, Settings
from domain.blobs import ADVICE
from domain.errors import SealBroken, ToolMissing, Unavailable
from integrations.documents.reading import find_reader, try_reader
from integrations.temporal_registration import missing_search_attributes
from integrations.tools import TOOLS, find_tool, version_of
from storage import inspection
from storage.migrations.upgrade import current, head, suits
from workers.composition import open_blobs, open_services
from workers.runner.sandbox import NOT_YET
from workers.temporal_client import connect

OLDEST_POSTGRESQL: Final = 150000
MOST_SECONDS_APART: Final = 2.0
MOST_TAKEN: Final = 0.8
"""Of PostgreSQL's connections; the rest is for the busiest minute."""
TEMPORAL_SECONDS: Final = 10.0
GIBIBYTE: Final = 1024**3
LEAST_FREE: Final = 2 * GIBIBYTE
"""A full disk stops every run and every upload; some hours of both fit into this."""
SAMPLE: Final = 20
"""Blobs that are read whole: of a damaged store, some of them tell."""
NO_BLOB: Final = "0" * 64
"""To be asked for: that it is not there can only be said by a bucket that is."""
MOUNTED: Final = Path("/run/secrets")
"""Where container engines mount secrets; they decide who can read them there, and often not by mode."""


def tools(settings: Settings) -> list[Finding]:
    """Look for what runs start, and for what `groundwork dev` starts."""
    is_embedded = DEVELOPMENT_SECRETS in settings.secrets.key_encryption_key_file.parts
    wanted = ["terraform", "tofu"] + (["temporal"] if is_embedded else [])
    chosen = {"terraform": settings.runner.terraform_path, "tofu": settings.runner.tofu_path}
    findings = [_tool(name, chosen.get(name)) for name in wanted]
    engines = [finding for finding in findings if finding.name in chosen]
    if any(finding.ok for finding in engines):  # one engine is enough to work
        findings = [Finding(found.name, found.state) if found in engines else found for found in findings]
    for name, use in (("git", "modules from repositories"), ("gpg", "a second look at signatures")):
        path = shutil.which(name)
        findings.append(Finding(name, path or f"not found, so there is no {use}"))
    return findings


def _tool(name: str, chosen: Path | None) -> Finding:
    try:
        path = chosen or find_tool(name)
    except ToolMissing as error:
        return Finding(name, error.detail, advice=f"`make tools NAMES={name}`, or put it on PATH")
    version = version_of(path, TOOLS[name])
    if version is None:
        return Finding(name, f"{path} does not tell its version", advice="look whether it runs on this machine")
    return Finding(name, f"{'.'.join(map(str, version))} at {path}")


def documents(settings: Settings) -> list[Finding]:
    """Look whether a worker of this machine could read what modules declare."""
    try:
        reader = find_reader(settings.runner.tofu_path)
        asyncio.run(try_reader(reader))
    except ToolMissing as error:
        return [
            Finding(
                "documents of modules",
                f"not read on this machine, so what a module declares is not shown: {error.detail}",
                f"where workers of the queue transfer run, put OpenTofu {TOOLS['tofu'].minimum} or newer on PATH "
                "or name it by runner.tofu_path; it has to be the released program itself, no script, "
                "and the kernel 5.13 or newer with Landlock",
            )
        ]
    return [Finding("documents of modules", f"can be read, by {reader.name} at {reader.path}")]


def roles(settings: Settings) -> list[Finding]:
    """Look whether servers log in as roles that row-level security holds."""
    findings = []
    for name, url in (("app", settings.database.app_url), ("platform", settings.database.platform_url)):
        facts = inspection.role_facts(url.get_secret_value())
        wrong = [
            text
            for applies, text in (
                (facts.superuser, "is a superuser"),
                (facts.bypasses_row_security, "bypasses row-level security"),
                (facts.owns_tables, "owns tables"),
            )
            if applies
        ]
        advice = f"set database.{name}_url to a role of its own that owns nothing" if wrong else ""
        findings.append(Finding(f"role {facts.name}", " and ".join(wrong) or "serves and owns nothing", advice))
        if name == "app":
            old = facts.server_version < OLDEST_POSTGRESQL
            shown = f"{facts.server_version // 10000}.{facts.server_version % 10000}"
            findings.append(Finding("PostgreSQL", shown, "15 or newer is needed" if old else ""))
    return findings


def database(settings: Settings) -> list[Finding]:
    """Look at the schema, the audit partitions, replication and the clock."""
    url = settings.database.platform_url.get_secret_value()
    revision, newest = current(url), head()
    findings = [
        Finding(
            "migrations",
            f"at {revision or 'nothing'}",
            "" if suits(revision) else f"`groundwork migrate` brings it to {newest}",
        )
    ]
    if suits(revision):
        stray = inspection.default_partition_bytes(url) > 0
        findings.append(
            Finding(
                "audit partitions",
                "the default partition holds rows" if stray else "the default partition is empty",
                "find out why the tick made no partition in time; move the rows" if stray else "",
            )
        )
    loses = inspection.has_only_asynchronous_standbys(url)
    findings.append(
        Finding(
            "replication",
            "no standby is synchronous" if loses else "no failover loses an answered request",
            "set synchronous_standby_names, or a failover may lose what was answered" if loses else "",
        )
    )
    taken, most = inspection.connections(url)
    findings.append(
        Finding(
            "connections",
            f"{taken} of {most} are taken",
            "raise max_connections, or lower database.pool_size" if taken > most * MOST_TAKEN else "",
        )
    )
    ahead = inspection.clock_ahead(url)
    findings.append(
        Finding(
            "clock",
            f"{abs(ahead):.2f} s {'behind' if ahead > 0 else 'ahead of'} the database's",
            "" if abs(ahead) <= MOST_SECONDS_APART else "let both machines ask a time server",
        )
    )
    return findings


def temporal(settings: Settings) -> list[Finding]:
    """Look whether Temporal answers and knows the search attributes."""
    address = settings.temporal.address
    try:
        missing = asyncio.run(_missing(settings))
    except (RuntimeError, TimeoutError) as error:
        reason = str(error) or f"no answer in {TEMPORAL_SECONDS:.0f} s"
        return [Finding("Temporal", f"{address}: {reason}", "look at temporal.address and at the server")]
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
        missing_one = f"{address} has no namespace {settings.temporal.namespace}"
        return [Finding("Temporal", missing_one, "`groundwork migrate` registers it")]
    if missing:
        return [Finding("Temporal", f"lacks {', '.join(missing)}", "`groundwork migrate` registers them")]
    web = settings.temporal.web_url
    shown = f", Web UI at {web}" if web else ""
    return [Finding("Temporal", f"{address}, namespace {settings.temporal.namespace}{shown}")]


async def _missing(settings: Settings) -> list[str]:
    async with asyncio.timeout(TEMPORAL_SECONDS):
        return sorted(await missing_search_attributes(await connect(settings.temporal)))


def blobs(settings: Settings) -> list[Finding]:
    """Look whether bytes can be received, and whether the bucket answers where there is one."""
    findings = [_room("blobs", settings.blobs.path)]
    if settings.blobs.s3 is not None:
        with contextlib.suppress(OSError):  # of the folder, which is told already
            findings.append(_bucket(settings, settings.blobs.s3))
    return findings


def _bucket(settings: Settings, s3: S3Settings) -> Finding:
    where = f"{s3.endpoint}/{s3.bucket}"
    try:
        asyncio.run(open_blobs(settings).size(NO_BLOB))
    except Unavailable as away:
        advice = "look at that server, and at the settings blobs.s3.bucket and blobs.s3.access_key"
        return Finding("bucket", f"{where}: {away.reason}", advice)
    return Finding("bucket", f"{where} answers")


def stored(settings: Settings) -> list[Finding]:
    """Look whether the blob store is the one that the database speaks of, and read some blobs."""
    return asyncio.run(_stored(settings))


async def _stored(settings: Settings) -> list[Finding]:
    async with open_services(settings) as services:
        state = await services.blobs.look()
        if state in ADVICE:
            return [Finding("blob store", f"it is {state}", ADVICE[state])]
        checked = [blob async for blob in services.blobs.sample(SAMPLE)]
    bad = [blob for blob in checked if blob.problem is not None]
    if not bad:
        return [Finding("blob store", f"{len(checked)} blobs were read at random and are whole")]
    advice = "`groundwork blobs check` lists all such; restore them from the backup, or publish them again"
    named = ", ".join(f"{blob.sha256} is {blob.problem}" for blob in bad)
    return [Finding("blob store", f"of {len(checked)} blobs, read at random, {len(bad)}: {named}", advice)]


def runs(settings: Settings) -> list[Finding]:
    """Look whether runs have a place to work."""
    return [_room("runs", settings.runner.work_path)]


def _room(name: str, path: Path) -> Finding:
    there = next(folder for folder in (path, *path.parents) if folder.exists())  # the first use makes the rest
    try:
        with tempfile.NamedTemporaryFile(dir=there):
            free = shutil.disk_usage(there).free
    except OSError as error:
        return Finding(name, f"{path}: {error.strerror}", f"let the servers' user write to {there}")
    state = f"{path} is writable, {free / GIBIBYTE:.1f} GiB are free"
    return Finding(name, state, "" if free >= LEAST_FREE else "make room on that disk, or move the folder")


def secrets(settings: Settings) -> list[Finding]:
    """Look whether the installation's keys can be read, and by nobody else."""
    findings = []
    for path in settings.secrets.key_files:
        mode = stat.S_IMODE(path.stat().st_mode)
        advice = f"chmod 600 {path}" if mode & 0o077 and not path.is_relative_to(MOUNTED) else ""
        findings.append(Finding(f"secret {path.name}", f"mode {mode:04o}", advice))
    try:
        Secrets.read(settings)
    except ValueError as error:
        findings.append(Finding("secrets", str(error), "restore it from the backup; a new one opens nothing old"))
    else:
        findings.append(_key(settings))
    return findings


def _key(settings: Settings) -> Finding:
    try:
        asyncio.run(_open_a_data_key(settings))
    except SealBroken as broken:
        return Finding("key-encryption key", "it opens no data key", broken.detail)
    except Unavailable:
        return Finding("key-encryption key", "unknown while the database is away", "see the findings above")
    return Finding("key-encryption key", "it opens what is stored")


async def _open_a_data_key(settings: Settings) -> None:
    async with open_services(settings) as services:
        await services.envelope.check_key()


def sandbox(settings: Settings) -> list[Finding]:
    """Look whether the code of modules can be kept in."""
    if settings.runner.sandbox == "none":
        return [Finding("sandbox", "none: for development only, modules run with the worker's rights")]
    return [Finding("sandbox", "runs are refused", NOT_YET)]


CHECKS: Final[tuple[tuple[str, Callable[[Settings], list[Finding]]], ...]] = (
    ("tools", tools),
    ("documents", documents),
    ("roles", roles),
    ("database", database),
    ("Temporal", temporal),
    ("blobs", blobs),
    ("blob store", stored),
    ("runs", runs),
    ("secrets", secrets),
    ("sandbox", sandbox),
    ("API", running.api),
    ("certificate", running.certificate),
    ("workers", running.work),
)
