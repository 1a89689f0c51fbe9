"""Prometheus' metrics: requests as this process counts them, the rest as the rows have it."""

import time
from collections.abc import Iterable
from typing import Final

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.operations import Measures

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST
REQUESTS: Final = CollectorRegistry()
COUNT: Final = Counter(
    "groundwork_http_requests",
    "Requests answered by this process.",
    ["method", "route", "status"],
    registry=REQUESTS,
)
SECONDS: Final = Histogram(
    "groundwork_http_request_seconds",
    "Time until the head of the answer was sent.",
    ["route"],
    registry=REQUESTS,
    buckets=(0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
)


class MetricsLayer:
    """Counts requests by the route's pattern, never by the path: that would be a series for every id."""

    def __init__(self, app: ASGIApp) -> None:
        """Take the application that stands behind."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                pattern = getattr(scope.get("route"), "path", "none")
                COUNT.labels(scope["method"], pattern, str(message["status"])).inc()
                SECONDS.labels(pattern).observe(time.perf_counter() - began)
            await send(message)

        await self._app(scope, receive, counted)


class _Measured(Collector):
    def __init__(self, measured: Measures) -> None:
        self._measured = measured

    def collect(self) -> Iterable[Metric]:
        measured = self._measured
        runs = GaugeMetricFamily("groundwork_runs", "Runs by tier and state.", labels=["tier", "state"])
        for tier, state, count in measured.runs:
            runs.add_metric([tier, state.value], count)
        yield runs
        for name, help_text, value in (
            ("groundwork_run_queue_depth", "Runs that wait to be admitted.", measured.queued),
            ("groundwork_outbox_waiting", "Wakes that wait to be delivered.", measured.outbox_waiting),
            (
                "groundwork_outbox_age_seconds",
                "Age of the oldest wake that waits.",
                measured.outbox_age.total_seconds(),
            ),
            ("groundwork_workers", "Worker processes that are alive.", measured.workers),
        ):
            yield GaugeMetricFamily(name, help_text, value=value)


def exposition(measured: Measures | None) -> bytes:
    """Write all metrics; without measures, those of this process."""
    text = generate_latest(REQUESTS)
    if measured is None:
        return text
    rows = CollectorRegistry()
    rows.register(_Measured(measured))
    return text + generate_latest(rows)
