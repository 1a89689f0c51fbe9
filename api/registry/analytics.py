"""Routes of who downloads what."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query

from api.dependencies import DownloadCountsService
from api.pagination import CallerPaging, Page
from api.registry.addresses import OfModule, OfProvider
from api.registry.callers import DownloadReader
from domain.moments import Moment
from domain.registry.downloads import Consumer, DownloadInterval, DownloadKind, DownloadsInTime, MostDownloaded
from services.registry.download_counts import Period

router = APIRouter(prefix="/api/v1/analytics", tags=["registry"])

USUAL: Final = timedelta(days=30)


async def _period(
    begin: Annotated[
        Moment | None,
        Query(
            alias="from",
            description="Hours and days count that begin at it or later, in UTC; 30 days before `to`.",
        ),
    ] = None,
    end: Annotated[
        Moment | None, Query(alias="to", description="Hours and days count that begin before it, in UTC; now.")
    ] = None,
) -> Period:
    last = end or datetime.now(UTC)
    return Period(begin or last - USUAL, last)


AskedPeriod = Annotated[Period, Depends(_period)]
Most = Annotated[int, Query(ge=1, le=200, description="How many at most.")]


@router.get("/downloads", operation_id="count_downloads")
async def count_downloads(
    scope: DownloadReader,
    counts: DownloadCountsService,
    period: AskedPeriod,
    interval: DownloadInterval = DownloadInterval.DAY,
    kind: DownloadKind | None = None,
) -> Page[DownloadsInTime]:
    """Count downloads by hour or day, those without any left out; days are UTC's, whatever zone `from` is in.

    A download is that a key was told where a version is; it shows here within seconds. What is older than 400 days
    is forgotten; how often a module or provider was downloaded in all stays known.
    """
    return Page(items=await counts.in_time(scope, period, interval=interval, kind=kind), next_cursor=None)


@router.get("/modules", operation_id="list_most_downloaded_modules")
async def list_most_downloaded_modules(
    scope: DownloadReader, counts: DownloadCountsService, period: AskedPeriod, limit: Most = 20
) -> Page[MostDownloaded]:
    """List the modules that were downloaded most, the most first."""
    items = await counts.most_downloaded(scope, period, kind=DownloadKind.MODULE, limit=limit)
    return Page(items=items, next_cursor=None)


@router.get("/providers", operation_id="list_most_downloaded_providers")
async def list_most_downloaded_providers(
    scope: DownloadReader, counts: DownloadCountsService, period: AskedPeriod, limit: Most = 20
) -> Page[MostDownloaded]:
    """List the providers that were downloaded most, the most first."""
    return Page(
        items=await counts.most_downloaded(scope, period, kind=DownloadKind.PROVIDER, limit=limit),
        next_cursor=None,
    )


@router.get("/consumers", operation_id="list_most_consumers")
async def list_most_consumers(
    scope: DownloadReader, counts: DownloadCountsService, period: AskedPeriod, limit: Most = 20
) -> Page[Consumer]:
    """List the keys that downloaded most, the most first, and the tools they came with; runs as one."""
    return Page(items=await counts.most_consumers(scope, period, limit=limit), next_cursor=None)


@router.get("/modules/{namespace}/{name}/{system}/{version}/consumers", operation_id="list_module_consumers")
async def list_module_consumers(
    address: OfModule, version: str, scope: DownloadReader, counts: DownloadCountsService, paging: CallerPaging
) -> Page[Consumer]:
    """List the keys that have downloaded a module version in the last 400 days, and their tools; runs as one."""
    return await paging.of(
        lambda after, limit: counts.consumers(scope, address, version, after=after, limit=limit)
    )


@router.get("/providers/{namespace}/{type}/{version}/consumers", operation_id="list_provider_consumers")
async def list_provider_consumers(
    address: OfProvider, version: str, scope: DownloadReader, counts: DownloadCountsService, paging: CallerPaging
) -> Page[Consumer]:
    """List the keys that have downloaded a provider release in the last 400 days, and their tools; runs as one."""
    return await paging.of(
        lambda after, limit: counts.consumers(scope, address, version, after=after, limit=limit)
    )
