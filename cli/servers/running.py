"""What `groundwork doctor` asks of what runs: the API, and by the rows the workers and what waits for them."""

import asyncio
import json
import ssl
from collections.abc import Iterator
from datetime import timedelta
from typing import Final

import httpx2

from cli.servers.findings import Finding
from config.settings import Settings
from domain.long_work import LastTick
from domain.operations import Health, QueueHealth
from workers.composition import open_services

API_SECONDS: Final = 5


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


def work(settings: Settings) -> list[Finding]:
    """Look who works on each queue, and whether what was accepted goes on."""
    health = asyncio.run(_health(settings))
    if not health.known:
        return [Finding("workers", "unknown while the database does not tell", "see the findings above")]
    return [*_queues(health), _delivery(health), _tick(health)]


async def _health(settings: Settings) -> Health:
    async with open_services(settings) as services:
        return await services.operations.health()


def _queues(health: Health) -> Iterator[Finding]:
    for queue in health.queues:
        advice = f"start `groundwork worker --queue {queue.name}`, or look at its log"
        yield Finding(f"queue {queue.name}", _who_and_what(queue), advice if queue.name in health.unmanned else "")


def _who_and_what(queue: QueueHealth) -> str:
    workers = f"{queue.workers} worker{'s' if queue.workers != 1 else ''}"
    slots = "" if queue.slots is None else f" with {queue.slots} slots"
    waits = (
        f"{queue.backlog} runs wait, the first for {_seconds(queue.oldest)}" if queue.backlog else "no run waits"
    )
    return f"{workers}{slots}, {waits}"


def _delivery(health: Health) -> Finding:
    age = health.outbox_age or timedelta()
    advice = "look whether Temporal answers, and at the log of a worker of the queue control"
    return Finding(
        "delivery",
        f"the oldest wake waits for {_seconds(age)}" if age else "no wake waits",
        "" if health.delivering else advice,
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
