"""Routes of who operates the installation: probes, version and health for anybody, metrics for operators."""

from datetime import UTC, datetime
from importlib.metadata import version
from typing import Annotated, Final

import structlog
from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, Field

from api.dependencies import OperationService, Requires
from api.operations.metrics import CONTENT_TYPE, exposition
from api.routing import facts
from domain.blobs import BlobStoreState
from domain.errors import Unavailable
from domain.identity.permissions import Permission
from domain.operations import Health as Known
from domain.operations import Status
from domain.scope import Scope

router = APIRouter(tags=["operations"])
log = structlog.get_logger(__name__)

VERSION: Final = version("groundwork")
PROBES_SEND_NO_KEY: Final = "what probes sends no key"
TICK: Final = (
    "`ok`, `unknown`, `failing`: in some organizations it did not succeed, or "
    "`late`: what is overdue was not looked after for three intervals of the tick."
)


class Probe(BaseModel):
    """An answer to a probe."""

    status: str


class Readiness(Probe):
    """Whether requests can be served, and what is amiss."""

    database: str = Field(description="`connected`, `unavailable`, or `read_only`: it takes no changes now.")
    migrations: str = Field(description="`current`, `behind`, or `unknown` while the database does not answer.")
    blobs: str = Field(
        description="`ok`, `unknown`, `away`, or that the blob store is not the one that the database speaks of: "
        "`empty`, `another`."
    )
    temporal: str = Field(
        description="`ok`, `unknown`, or `degraded`: what was accepted waits to be delivered; nothing is lost."
    )
    tick: str = Field(description=TICK)


class Version(BaseModel):
    """Which release this is, what its registry is called, and how much it takes."""

    name: str
    version: str
    registry_hostname: str = Field(description="Host name in the sources of modules and providers.")
    module_bytes: int = Field(description="Bytes of the largest module archive that is taken.")


class Queue(BaseModel):
    """A task queue: who works on it, and what waits there."""

    name: str
    workers: int = Field(description="Worker processes heard of in the last 30 seconds.")
    slots: int | None = Field(description="Runs they execute at once; null where steps are short.")
    backlog: int = Field(
        description="Admitted runs whose next step is this queue's and that nobody is at; of `transfer`, "
        "documents of modules that are to be read and verifications that are to be made."
    )
    oldest_seconds: float = Field(description="How long the first of them has waited.")


class Health(BaseModel):
    """How the installation is."""

    status: Status
    database: str
    queue: str = Field(description="`healthy` when what is accepted is delivered and each queue has a worker.")
    workers: int = Field(description="Worker processes heard of in the last 30 seconds.")
    tick: str = Field(description=TICK)
    version: str
    timestamp: datetime
    queues: list[Queue] = Field(description="By name; empty while the database does not answer.")
    advice: list[str] = Field(description="What to do, a sentence for each reason not to be healthy.")


def _tick(health: Known) -> str:
    return _word(health.ticking, "failing" if health.failing else "ok", "late")


def _word(known: bool | None, yes: str, no: str) -> str:
    return "unknown" if known is None else yes if known else no


@router.get("/livez", operation_id="get_liveness")
@facts(public=PROBES_SEND_NO_KEY, probe=True)
async def get_liveness() -> Probe:
    """Tell that the process runs."""
    return Probe(status="ok")


@router.get("/readyz", operation_id="get_readiness", responses={503: {"model": Readiness}})
@router.get("/healthz", operation_id="get_readiness_as_healthz", responses={503: {"model": Readiness}})
@facts(public=PROBES_SEND_NO_KEY, probe=True)
async def get_readiness(operations: OperationService, response: Response) -> Readiness:
    """Tell whether requests can be served: the database answers and has the newest schema, and no other's blobs.

    Without Temporal or its tick everything is still accepted, and while the database takes no changes it can be
    read, so that is degraded, and no failure. The answer may be two seconds old.
    """
    health = await operations.health()
    readiness = health.readiness
    response.status_code = 200 if readiness.ready else 503
    is_well = (
        readiness.blobs in {BlobStoreState.OK, BlobStoreState.UNMARKED}
        and readiness.writable
        and health.delivering
        and health.ticking
        and not health.failing
    )
    answers = "read_only" if readiness.writable is False else "connected"
    return Readiness(
        status="failed" if not readiness.ready else "ok" if is_well else "degraded",
        database=answers if readiness.database else "unavailable",
        migrations=_word(readiness.migrated, "current", "behind"),
        blobs=readiness.blobs or "unknown",
        temporal=_word(health.delivering, "ok", "degraded"),
        tick=_tick(health),
    )


@router.get("/version", operation_id="get_version")
@facts(public="a client asks it before it has a key", probe=True)
async def get_version(operations: OperationService) -> Version:
    """Tell which release this is, the registry's host name, and how large a module may be."""
    return Version(
        name="groundwork",
        version=VERSION,
        registry_hostname=operations.registry_hostname,
        module_bytes=operations.module_bytes,
    )


@router.get("/api/v1/health", operation_id="get_health", responses={503: {"model": Health}})
@facts(public=PROBES_SEND_NO_KEY, probe=True)
async def get_health(operations: OperationService, response: Response) -> Health:
    """Tell how the installation is, in the provisioning engine's words. The answer may be two seconds old."""
    health = await operations.health()
    response.status_code = 503 if health.status is Status.UNHEALTHY else 200
    return Health(
        status=health.status,
        database="connected" if health.readiness.database else "disconnected",
        queue="healthy" if health.working else "degraded",
        workers=health.workers,
        tick=_tick(health),
        version=VERSION,
        timestamp=datetime.now(UTC),
        queues=[
            Queue(
                name=queue.name,
                workers=queue.workers,
                slots=queue.slots,
                backlog=queue.backlog,
                oldest_seconds=queue.oldest.total_seconds(),
            )
            for queue in health.queues
        ],
        advice=list(health.advice),
    )


@router.get("/metrics", operation_id="get_metrics", response_class=Response)
@router.get("/api/v1/metrics", operation_id="get_metrics_as_r1", response_class=Response)
async def get_metrics(
    _: Annotated[Scope, Depends(Requires(Permission.METRICS_READ))], operations: OperationService
) -> Response:
    """Give the metrics in Prometheus' text format. Those of the database are left out while it does not tell.

    They are of all organizations, and name their tiers: give the scraper an operator's key.
    """
    try:
        measured = await operations.measure()
    except Unavailable as error:
        log.warning("rows_not_measured", reason=error.reason)
        measured = None
    return Response(exposition(measured), media_type=CONTENT_TYPE)
