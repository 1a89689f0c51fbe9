"""What `groundwork doctor` asks of what runs: the API, and by the rows the workers and what waits for them."""

import asyncio
import json
import socket
import ssl
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Final

import httpx2

from cli.servers.findings import Finding
from config.settings import Settings
from domain.long_work import LastTick
from domain.operations import Health, HinderedDocuments, Oldest, QueueHealth, UndeliveredWake
from workers.composition import open_services

API_SECONDS: Final = 5
HTTPS: Final = 443
DAY_SECONDS: Final = 24 * 60 * 60
LEAST_DAYS: Final = 30
RENEW: Final = (
    "renew it, restart the API: `deploy/compose/prepare` and a start of `groundwork dev` renew those they made"
)


def api(settings: Settings) -> list[Finding]:
    """Ask the API where clients reach it whether it is ready."""
    url = settings.registry.public_url
    authority = settings.tls.ca_certificate
    try:
        trusted = ssl.create_default_context(cafile=None if authority is None else str(authority))
        answer = httpx2.get(f"{url}/readyz", verify=trusted, timeout=API_SECONDS)
        ready = answer.json()
    except (httpx2.HTTPError, OSError, json.JSONDecodeError) as error:
        reason = str(error) or type(error).__name__
        advice = "start `groundwork api`, or look at its log; is it reached from here by registry.public_url?"
        return [Finding("API", f"{url}: {reason}", advice)]
    told = ", ".join(f"{name} {state}" for name, state in ready.items() if name != "status")
    return [Finding("API", f"{url} answers: {told}", "" if answer.is_success else "see the findings above")]


def certificate(settings: Settings) -> list[Finding]:
    """Look how long the certificate is good that clients meet at registry.public_url."""
    url = httpx2.URL(settings.registry.public_url)
    if url.scheme != "https":
        return []
    try:
        ends = _end_of_certificate(url.host, url.port or HTTPS, settings.tls.ca_certificate)
    except ssl.SSLCertVerificationError as error:
        return [Finding("certificate", f"{url.host}: {error.verify_message}", RENEW)]
    except OSError:
        return []  # nobody answers, which the finding of the API tells
    days = int((ends - time.time()) // DAY_SECONDS)
    return [Finding("certificate", f"good for {days} days", RENEW if days < LEAST_DAYS else "")]


def _end_of_certificate(host: str, port: int, authority: Path | None) -> float:
    trusted = ssl.create_default_context(cafile=None if authority is None else str(authority))
    with (
        socket.create_connection((host, port), timeout=API_SECONDS) as connection,
        trusted.wrap_socket(connection, server_hostname=host) as secured,
    ):
        told = secured.getpeercert()
        return ssl.cert_time_to_seconds(str(told["notAfter"])) if told else 0.0


def work(settings: Settings) -> list[Finding]:
    """Look who works on each queue, and whether what was accepted goes on."""
    health, oldest = asyncio.run(_look(settings))
    if oldest is None:
        return [Finding("workers", "unknown while the database does not tell", "see the findings above")]
    return [
        *_changes(health),
        *_queues(health),
        *_waiting(oldest),
        *_hindered(oldest.hindered_documents),
        _delivery(health, oldest.wake),
        _tick(health),
    ]


async def _look(settings: Settings) -> tuple[Health, Oldest | None]:
    async with open_services(settings) as services:
        health = await services.operations.health()
        return health, await services.operations.oldest() if health.known else None


def _changes(health: Health) -> Iterator[Finding]:
    if health.readiness.writable is False:
        advice = "set both addresses to the primary, or make room for the database"
        yield Finding("changes", "the database takes none, it is read-only", advice)


def _queues(health: Health) -> Iterator[Finding]:
    for queue in health.queues:
        advice = f"start `groundwork worker --queue {queue.name}`, or look at its log"
        yield Finding(f"queue {queue.name}", _who_and_what(queue), advice if queue.name in health.unmanned else "")


def _waiting(oldest: Oldest) -> Iterator[Finding]:
    """Name what has waited longest; whether that is too long, only whoever knows the runs can tell."""
    for name, run in (
        ("oldest that no worker is at", oldest.backlog),
        ("oldest that is not admitted", oldest.queued),
        ("oldest that blocks its deployment", oldest.blocking),
    ):
        if run is not None:
            yield Finding(
                name,
                f"run {run.run_id} of organization {run.organization_id}, {run.state} for {_seconds(run.age)}",
            )


def _who_and_what(queue: QueueHealth) -> str:
    workers = f"{queue.workers} worker{'s' if queue.workers != 1 else ''}"
    slots = "" if queue.slots is None else f" with {queue.slots} slots"
    waits = (
        f"{queue.backlog} wait there, the first for {_seconds(queue.oldest)}" if queue.backlog else "nothing waits"
    )
    return f"{workers}{slots}, {waits}"


def _hindered(hindered: HinderedDocuments | None) -> Iterator[Finding]:
    if hindered is not None:
        yield Finding(
            "oldest documents that can't be read",
            f"those of version {hindered.module_version_id} of organization {hindered.organization_id} are asked "
            f"for since {_seconds(hindered.age)}: {hindered.reason}",
            "mend that where workers of the queue transfer run; it is tried again by itself",
        )


def _delivery(health: Health, wake: UndeliveredWake | None) -> Finding:
    advice = "look whether Temporal answers, and at the log of a worker of the queue control"
    return Finding("delivery", "no wake waits" if wake is None else _of(wake), "" if health.delivering else advice)


def _of(wake: UndeliveredWake) -> str:
    failed = f"{wake.attempts} attempts failed" if wake.attempts else "no attempt came to an answer"
    tried = f"{failed}, last error: {wake.last_error}" if wake.last_error else "not tried yet"
    return (
        f"the oldest wake waits for {_seconds(wake.age)}: {wake.workflow_id} "
        f"of organization {wake.organization_id}, {tried}"
    )


def _tick(health: Health) -> Finding:
    advice = "look at the log of a worker of the queue control, and at control.tick in the Temporal Web UI"
    looked = ", ".join(f"{tick.area} {_seconds(tick.age)} ago{_but(tick)}" for tick in health.ticks)
    is_well = health.ticking and not health.failing
    return Finding("tick", f"looked after {looked or 'nothing yet'}", "" if is_well else advice)


def _but(tick: LastTick) -> str:
    """Say in how many organizations it did not succeed."""
    if not tick.failed and not tick.left:
        return ""
    return f" (failed in {tick.failed} organizations, did not get to {tick.left})"


def _seconds(time: timedelta) -> str:
    return f"{time.total_seconds():.0f} s"
