"""Prometheus' metrics: requests as the server's processes count them, the rest as the rows have it.

Where several processes serve one port, a scrape meets any of them. `groundwork api` then gives them a folder by
PROMETHEUS_MULTIPROC_DIR, where each keeps its counts, and whichever is asked adds all of them up.
"""

import asyncio
import bisect
import os
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from domain.operations import Measures

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST
REQUESTS: Final = CollectorRegistry()
COUNT: Final = Counter(
    "groundwork_http_requests",
    "Requests answered.",
    ["method", "route", "status"],
    registry=REQUESTS,
)


class _Times(Histogram):
    """A histogram that many are counted in at once: by themselves they take two thirds of a microsecond each."""

    def observe_all(self, amounts: Iterable[float]) -> None:
        """Do what `observe` does, for each of them."""
        in_order, below = sorted(amounts), 0
        self._sum.inc(sum(in_order))
        for bucket, bound in zip(self._buckets, self._upper_bounds, strict=True):
            up_to = bisect.bisect_right(in_order, bound)
            bucket.inc(up_to - below)
            below = up_to


SECONDS: Final = _Times(
    "groundwork_http_request_seconds",
    "Time until the head of the answer was sent.",
    ["route"],
    registry=REQUESTS,
    buckets=(0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
)
WRITE_SECONDS: Final = 0.1
"""After how long another process is told what this one has counted."""

METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class RequestCount:
    """Counts the requests of a method, route and status: noted at once, and written with others a moment later.

    To write a count takes the library a third of what all of an answer takes that is kept.
    """

    def __init__(self, method: str, route: str, status: int) -> None:
        """Find its series."""
        self._count = COUNT.labels(method if method in METHODS else "other", route, str(status))
        self._seconds = SECONDS.labels(route)
        self._noted: list[float] = []

    def add(self, seconds: float) -> None:
        """Count a request whose answer began so many seconds after it came; an event loop runs."""
        if not self._noted:
            if not _to_write:
                asyncio.get_running_loop().call_later(WRITE_SECONDS, write_counts)
            _to_write.append(self)
        self._noted.append(seconds)

    def write(self) -> None:
        """Write what was noted."""
        self._count.inc(len(self._noted))
        self._seconds.observe_all(self._noted)
        self._noted.clear()


_to_write: Final[list[RequestCount]] = []


def write_counts() -> None:
    """Write all that was noted: before somebody reads it, and before the process ends."""
    for each in _to_write:
        each.write()
    _to_write.clear()


@lru_cache(maxsize=10_000)
def count_of(method: str, route: str, status: int) -> RequestCount:
    """Give who counts such requests.

    Args:
        method: as it was sent; those that nobody knows are counted together, since anybody may think of more.
        route: the route's pattern.
        status: of the answer.
    """
    return RequestCount(method, route, status)


class _Measured(Collector):
    def __init__(self, measured: Measures | None) -> None:
        self._measured = measured

    def collect(self) -> Iterable[Metric]:
        measured = self._measured
        up = "Whether the database told what there is; while it does not, all of its rows are left out."
        yield GaugeMetricFamily("groundwork_database_up", up, value=measured is not None)
        if measured is None:
            return
        for name, help_text, counted in (
            ("groundwork_runs", "Runs that have not ended.", measured.unfinished),
            ("groundwork_runs_finished_last_hour", "Runs that ended in the last hour.", measured.finished),
        ):
            runs = GaugeMetricFamily(name, f"{help_text} By tier and state.", labels=["tier", "state"])
            for tier, state, count in counted:
                runs.add_metric([tier, state.value], count)
            yield runs
        for name, help_text, value in (
            ("groundwork_run_queue_depth", "Runs that wait to be admitted.", measured.queued),
            (
                "groundwork_run_queue_age_seconds",
                "How long the first of them has waited.",
                measured.queued_age.total_seconds(),
            ),
            (
                "groundwork_deployments_blocked",
                "Deployments that wait for a person to look after what a run left.",
                measured.blocked,
            ),
            ("groundwork_outbox_waiting", "Wakes that wait to be delivered.", measured.outbox_waiting),
            (
                "groundwork_outbox_age_seconds",
                "Age of the oldest wake that waits.",
                measured.outbox_age.total_seconds(),
            ),
            ("groundwork_workers", "Worker processes that are alive.", measured.workers),
        ):
            yield GaugeMetricFamily(name, help_text, value=value)
        refused = GaugeMetricFamily(
            "groundwork_releases_refused",
            "Releases of providers that are not served. By reason: their last verification, or a revoked key.",
            labels=["reason"],
        )
        refused.add_metric(["verification"], measured.refused.by_verification)
        refused.add_metric(["key_revoked"], measured.refused.by_key)
        yield refused
        yield from _queues(measured)
        yield from _ticks(measured)
        documents = GaugeMetricFamily(
            "groundwork_module_documents", "Module versions by how far their documents are.", labels=["state"]
        )
        for how_far, count in measured.documents:
            documents.add_metric([how_far.value], count)
        yield documents


def _queues(measured: Measures) -> Iterable[Metric]:
    for name, help_text, values in (
        ("workers", "Worker processes alive.", {each.name: each.workers for each in measured.queues}),
        (
            "slots",
            "Runs that the workers alive execute at once.",
            {each.name: each.slots for each in measured.queues if each.slots is not None},
        ),
        (
            "backlog",
            "Admitted runs that nobody is at; documents and verifications to be made.",
            {each.name: each.backlog for each in measured.queues},
        ),
        (
            "backlog_age_seconds",
            "How long the first of them has waited.",
            {each.name: each.oldest.total_seconds() for each in measured.queues},
        ),
    ):
        family = GaugeMetricFamily(f"groundwork_queue_{name}", f"{help_text} By task queue.", labels=["queue"])
        for queue, value in values.items():
            family.add_metric([queue], value)
        yield family


def _ticks(measured: Measures) -> Iterable[Metric]:
    ages = GaugeMetricFamily(
        "groundwork_tick_age_seconds", "Since the tick looked after an area.", labels=["area"]
    )
    failed = GaugeMetricFamily(
        "groundwork_tick_failed_organizations",
        "Organizations in which the last tick of an area did not succeed.",
        labels=["area"],
    )
    for tick in measured.ticks:
        ages.add_metric([tick.area], tick.age.total_seconds())
        failed.add_metric([tick.area], tick.failed)
    return ages, failed


def exposition(measured: Measures | None) -> bytes:
    """Write all metrics; without measures, those of the requests."""
    write_counts()
    rows = CollectorRegistry()
    rows.register(_Measured(measured))
    return generate_latest(_requests()) + generate_latest(rows)


def _requests() -> CollectorRegistry:
    """Give the counts of this process, or of all that share a folder."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return REQUESTS
    together = CollectorRegistry()
    MultiProcessCollector(together)  # type: ignore[no-untyped-call]  # the library leaves it out
    return together
